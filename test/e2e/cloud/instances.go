package cloud

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/e2e/kube"
)

// healthyPhase is what the operator calls a Cluster whose instances all run.
const healthyPhase = "Cluster in healthy state"

// played is the part of a Cluster's status that stands for instances that run. now is when they began to; what was
// reported before keeps its time.
func played(o, before kube.Object) map[string]any {
	conditions := []any{}
	for _, c := range o.Items("status", "conditions") {
		if !instanceConditions[c.String("type")] {
			conditions = append(conditions, map[string]any(c))
		}
	}
	for _, c := range []map[string]any{
		condition("Ready", "True", "ClusterIsReady", "Cluster is Ready"),
		condition("ContinuousArchiving", "True", "ContinuousArchivingSuccess", "Continuous archiving is working"),
		condition("LastBackupSucceeded", "True", "LastBackupSucceeded", "Backup was successful"),
	} {
		c["lastTransitionTime"] = time.Now().UTC().Format(time.RFC3339)
		if was := before.Condition(c["type"].(string)); was.Status == c["status"] && was.Since != "" { //nolint:errcheck,forcetypeassert // Made above.
			c["lastTransitionTime"] = was.Since
		}
		conditions = append(conditions, c)
	}
	return map[string]any{
		"conditions": conditions, "phase": healthyPhase, "instances": o.At("spec", "instances"), "readyInstances": o.At("spec", "instances"),
	}
}

// instanceConditions are the conditions that depend on instances.
var instanceConditions = map[string]bool{"Ready": true, "ContinuousArchiving": true, "LastBackupSucceeded": true}

// ServeInstances answers the API server, which asks before it stores what the operator reports about a Cluster: the
// operator counts Pods, and there are none. Where the instances are played it is told their number, or it and the
// player would write against each other without end, and wake Crossplane each time.
func (c *Cloud) ServeInstances(listener net.Listener) *http.Server {
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(c.admit)}
	go func() { _ = server.Serve(listener) }() // Ends when closed.
	return server
}

func (c *Cloud) admit(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID               string
			Object, OldObject kube.Object
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := map[string]any{"uid": review.Request.UID, "allowed": true}
	if c.isHealthy(review.Request.Object) {
		status := kube.Object{}
		maps.Copy(status, review.Request.Object.Map("status"))
		delete(status, "phaseReason")
		maps.Copy(status, played(review.Request.Object, review.Request.OldObject))
		patch, err := json.Marshal([]any{map[string]any{"op": "add", "path": "/status", "value": status}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response["patchType"], response["patch"] = "JSONPatch", patch
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ //nolint:errchkjson // A client that went away asks again.
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
	})
}
