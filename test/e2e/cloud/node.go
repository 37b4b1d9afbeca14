package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// A Node plays the machine some databases' primaries run on: whoever executes a program in their Pods executes it beside a
// real PostgreSQL server.
type Node struct {
	// servers by the name of their Pod.
	servers map[string]*postgres.Server
}

// NewNode starts a server for each database. Without PostgreSQL on this machine there is none, and the error says so.
func NewNode(ctx context.Context, databases ...string) (*Node, error) {
	n := &Node{servers: map[string]*postgres.Server{}}
	for _, database := range databases {
		server, err := postgres.New([]string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PGUSER=postgres"})
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
		n.servers[pod(database)] = server
		if err := server.Init(ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
		if err := server.Start(ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// Close stops the servers.
func (n *Node) Close() error {
	var all error
	for _, server := range n.servers {
		all = errors.Join(all, server.Remove())
	}
	return all
}

// SQL runs statements as the superuser.
func (n *Node) SQL(ctx context.Context, database, in, statements string) error {
	_, err := n.servers[pod(database)].Run(ctx, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", in, "-c", statements)
	return err
}

// Serve answers as the machine's kubelet.
func (n *Node) Serve(listener net.Listener) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		options, err := remotecommand.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		remotecommand.ServeExec(w, r, n, r.PathValue("pod"), "", r.PathValue("container"), r.URL.Query()["command"], options,
			time.Minute, time.Minute, remotecommand.SupportedStreamingProtocols)
	})
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: mux}
	go func() { _ = server.Serve(listener) }() // Ends when closed.
	return server
}

// ExecInContainer runs a program beside the server.
func (n *Node) ExecInContainer(ctx context.Context, pod, _, _ string, command []string, in io.Reader, out, complaints io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	server := n.servers[pod]
	if server == nil {
		return fmt.Errorf("no database runs in Pod %s", pod)
	}
	cmd := server.Command(ctx, command[0], command[1:]...)
	cmd.Stdout = out
	if complaints != nil { // With a terminal there is one stream.
		cmd.Stderr = complaints
	}
	if in != nil {
		cmd.Stdin = in
	}
	cmd.WaitDelay = time.Second // Nobody types: the other side keeps its input open until the program has ended.
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("cannot run %s: %w", command[0], err)
	}
	return nil
}

// Primary is the Pod of a database's primary, as much of it as whoever looks for it needs.
func Primary(namespace, database, node string) kube.Object {
	return kube.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"namespace": namespace, "name": pod(database),
			"labels": map[string]any{"cnpg.io/cluster": database, "cnpg.io/instanceRole": "primary"},
		},
		"spec": map[string]any{
			"nodeName": node, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
			"containers": []any{map[string]any{"name": "postgres", "image": "postgres"}},
		},
	}
}

func pod(database string) string { return database + "-1" }
