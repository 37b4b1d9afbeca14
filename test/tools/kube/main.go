// Command kube is etcd, kube-apiserver and kube-controller-manager in one binary: `kube <component> [flags]`.
//
// One binary instead of three because they share nearly all of their code: 136 MB on disk instead of 250, and one link.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		usage("no component named")
	}

	os.Args = os.Args[1:] // Each component reads its own flags from here.

	switch component := os.Args[0]; component {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllers.NewControllerManagerCommand())
	default:
		usage("unknown component " + component)
	}
}

func run(c *cobra.Command) { os.Exit(cli.Run(c)) }

func usage(why string) {
	fmt.Fprintf(os.Stderr, "kube: %s: usage: kube etcd|kube-apiserver|kube-controller-manager [flags]\n", why)
	os.Exit(2)
}
