package schemas

import (
	"strings"
	"testing"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// The validator must bite: each of these is a mistake people have made, or one a careless change here would make.
func TestMistakesAreNoticed(t *testing.T) {
	c := upstreamCatalogue(t)
	cases := map[string]struct {
		reason string
		object string
		want   string
	}{
		"ScheduledBackups": {
			reason: "The specification's own reference configuration has it; CloudNativePG never had such a field.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 3, storage: {size: 20Gi}, backup: {scheduledBackups: [{name: x}]}}}`,
			want:   "spec.backup.scheduledBackups: unknown field",
		},
		"SynchronousCommit": {
			reason: "There is no synchronousCommit in CloudNativePG.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 3, storage: {size: 20Gi}, postgresql: {synchronousCommit: "on"}}}`,
			want:   "spec.postgresql.synchronousCommit: unknown field",
		},
		"Durability": {
			reason: "A closed list.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 3, storage: {size: 20Gi}, postgresql: {synchronous: {method: any, number: 1, dataDurability: required!}}}}`,
			want:   "Unsupported value",
		},
		"NoInstances": {
			reason: "A zero that leaks is below the minimum.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 0, storage: {size: 20Gi}}}`,
			want:   "should be greater than or equal to 1",
		},
		"TwoSynchronousMethods": {
			reason: "CEL: failoverQuorum needs synchronous replication with at least one standby.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 3, storage: {size: 20Gi}, postgresql: {synchronous: {method: any, number: 1, dataDurability: preferred, standbyNamesPre: [x]}}}}`,
			want:   "dataDurability set to 'preferred' requires empty",
		},
		"Wrapped": {
			reason: "A mistake inside an Object is found as well.",
			object: `{apiVersion: kubernetes.crossplane.io/v1alpha2, kind: Object, metadata: {name: a}, spec: {deletionPolicy: Orphan, forProvider: {manifest: {apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a, namespace: b}, spec: {instances: 3, storage: {size: 20Gi}, backup: {scheduledBackups: []}}}}}}`,
			want:   "Cluster: spec.backup.scheduledBackups: unknown field",
		},
		"OrphanNamespaced": {
			reason: "Namespaced managed resources have no deletionPolicy.",
			object: `{apiVersion: kubernetes.m.crossplane.io/v1alpha1, kind: Object, metadata: {name: a, namespace: b}, spec: {deletionPolicy: Orphan, forProvider: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}}}}`,
			want:   "spec.deletionPolicy: unknown field",
		},
		"ConfigWithoutKind": {
			reason: "A namespaced resource's provider configuration has a kind.",
			object: `{apiVersion: kubernetes.m.crossplane.io/v1alpha1, kind: Object, metadata: {name: a, namespace: b}, spec: {providerConfigRef: {name: default}, forProvider: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}}}}`,
			want:   "spec.providerConfigRef.kind: Required value",
		},
		"QueryDoesNotCompile": {
			reason: "provider-kubernetes would say so at run time only.",
			object: `{apiVersion: kubernetes.crossplane.io/v1alpha2, kind: Object, metadata: {name: a}, spec: {readiness: {policy: DeriveFromCelQuery, celQuery: "object.status.ready ==="}, forProvider: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}}}}`,
			want:   "spec.readiness.celQuery",
		},
		"QueryWithoutPolicy": {
			reason: "The query would be ignored.",
			object: `{apiVersion: kubernetes.crossplane.io/v1alpha2, kind: Object, metadata: {name: a}, spec: {readiness: {policy: DeriveFromObject, celQuery: "true"}, forProvider: {manifest: {apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}}}}`,
			want:   "goes with policy DeriveFromCelQuery",
		},
		"LifecycleShape": {
			reason: "The two versions of one kind differ in shape.",
			object: `{apiVersion: s3.aws.upbound.io/v1beta1, kind: BucketLifecycleConfiguration, metadata: {name: a}, spec: {forProvider: {region: x, bucket: b, rule: [{id: x, status: Enabled, filter: {prefix: ""}}]}}}`,
			want:   "spec.forProvider.rule[0].filter",
		},
		"NoRegion": {
			reason: "Every S3 resource needs one.",
			object: `{apiVersion: s3.aws.upbound.io/v1beta2, kind: Bucket, metadata: {name: a}, spec: {forProvider: {objectLockEnabled: true}}}`,
			want:   "spec.forProvider.region: Required value",
		},
		"ForgottenVersioning": {
			reason: "provider-aws requires by CEL what is not only observed.",
			object: `{apiVersion: s3.aws.upbound.io/v1beta2, kind: BucketVersioning, metadata: {name: a}, spec: {forProvider: {region: x, bucket: b}}}`,
			want:   "versioningConfiguration is a required parameter",
		},
		"OldExternalSecret": {
			reason: "The version before v1 is gone.",
			object: `{apiVersion: external-secrets.io/v1alpha1, kind: ExternalSecret, metadata: {name: a, namespace: b}, spec: {}}`,
			want:   "no schema of external-secrets.io/v1alpha1 ExternalSecret is known",
		},
		"CreationPolicy": {
			reason: "A closed list.",
			object: `{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: b}, spec: {target: {creationPolicy: Keep}, data: [{secretKey: a, remoteRef: {key: b}}]}}`,
			want:   "Unsupported value",
		},
		"Duration": {
			reason: "Prometheus durations have a form of their own.",
			object: `{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: a, namespace: b}, spec: {groups: [{name: g, rules: [{alert: A, expr: up, for: 2 minutes}]}]}}`,
			want:   "spec.groups[0].rules[0].for",
		},
		"TwiceTheSameGroup": {
			reason: "A list that is a map has each key once.",
			object: `{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: a, namespace: b}, spec: {groups: [{name: g}, {name: g}]}}`,
			want:   "Duplicate value",
		},
		"BuiltIn": {
			reason: "Kinds of Kubernetes itself are read strictly.",
			object: `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a, namespace: b}, roleRef: {kind: ClusterRole, names: x}}`,
			want:   `unknown field "names"`,
		},
		"ClusterScopedObject": {
			reason: "A namespace on a cluster-scoped kind is an error on a real API server.",
			object: `{apiVersion: s3.aws.upbound.io/v1beta2, kind: Bucket, metadata: {name: a, namespace: b}, spec: {forProvider: {region: x}}}`,
			want:   "the kind is cluster-scoped",
		},
		"NoNamespace": {
			reason: "And none on a namespaced kind.",
			object: `{apiVersion: postgresql.cnpg.io/v1, kind: ScheduledBackup, metadata: {name: a}, spec: {schedule: "0 0 0 * * *", cluster: {name: a}}}`,
			want:   "the kind is namespaced",
		},
		"CompositionWithoutFunction": {
			reason: "The specification's own Composition has no functionRef.",
			object: `{apiVersion: apiextensions.crossplane.io/v1, kind: Composition, metadata: {name: a}, spec: {compositeTypeRef: {apiVersion: a/v1, kind: A}, mode: Pipeline, pipeline: [{step: a}]}}`,
			want:   "spec.pipeline[0].functionRef: Required value",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := parse(t, name, []byte(tc.object))[0]
			got := strings.Join(c.Validate(o), "\n")
			if !strings.Contains(got, tc.want) {
				t.Errorf("%s\nwant a problem that contains %q, got: %s", tc.reason, tc.want, got)
			}
		})
	}
}

func TestLeaksAreNoticed(t *testing.T) {
	cases := map[string]struct {
		object manifest.Object
		want   string
	}{
		"Status":      {manifest.Object{"status": map[string]any{"x": "y"}}, "status: must not be emitted"},
		"InnerStatus": {wrap(map[string]any{"kind": "Cluster", "status": map[string]any{}}), "manifest status: must not be emitted"},
		"EmptyMap":    {manifest.Object{"spec": map[string]any{"affinity": map[string]any{}}}, "spec.affinity: the zero value"},
		"Zero":        {manifest.Object{"spec": map[string]any{"postgresUID": int64(0)}}, "spec.postgresUID: the zero value"},
		"False":       {wrap(map[string]any{"spec": map[string]any{"enablePDB": false}}), "spec.enablePDB: the zero value"},
		"Null":        {manifest.Object{"metadata": map[string]any{"creationTimestamp": nil}}, "metadata.creationTimestamp: the zero value"},
		"InList":      {manifest.Object{"spec": map[string]any{"data": []any{map[string]any{"key": ""}}}}, "spec.data.key: the zero value"},
		"GoType":      {manifest.Object{"spec": map[string]any{"names": []string{"a"}}}, "is not JSON-shaped"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(leaks{}.leaks(tc.object), "\n"); !strings.Contains(got, tc.want) {
				t.Errorf("want a leak that contains %q, got: %s", tc.want, got)
			}
		})
	}
}

func wrap(inner map[string]any) manifest.Object {
	return manifest.Object{
		"apiVersion": "kubernetes.crossplane.io/v1alpha2", "kind": "Object",
		"spec": map[string]any{"forProvider": map[string]any{"manifest": inner}},
	}
}
