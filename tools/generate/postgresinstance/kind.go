// Package postgresinstance is the kind around the claim's types, for controller-gen alone: the function reads spec and
// status, and what a Kubernetes kind brings with it would be a sixth of its binary.
// +kubebuilder:object:generate=false
// +groupName=database.bizmatters.io
// +versionName=v1alpha1
package postgresinstance

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
)

// PostgresInstance is a PostgreSQL database that does not lose acknowledged data: three synchronously replicated
// instances on different nodes, continuous WAL archiving and six-hourly base backups into a bucket nobody can empty.
// Deleting it leaves the database and everything it needs running.
//
// What is read once, at creation, freezes when the database exists (status.version is set), not before: until then a
// mistyped claim can still be corrected. A frozen field may stay as it is or be corrected to what actually runs.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.version) || (has(self.spec.version) ? self.spec.version : '16') in [has(oldSelf.spec.version) ? oldSelf.spec.version : '16', oldSelf.status.version]",message="version is frozen: a major upgrade in place cannot be undone and stops the database. Commit a new claim with bootstrap.recovery.source naming this one, then switch (Blue/Green) [ZDL-08]",fieldPath=".spec.version"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.version) || (has(self.spec.database) ? has(oldSelf.spec.database) && self.spec.database == oldSelf.spec.database || has(oldSelf.status.database) && self.spec.database == oldSelf.status.database : !has(oldSelf.spec.database))",message="database is frozen: it names the database made at creation, and changing it would point applications at one that does not exist. Create further databases with SQL [ZDL-08]",fieldPath=".spec.database"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.version) || (has(self.spec.owner) ? has(oldSelf.spec.owner) && self.spec.owner == oldSelf.spec.owner || has(oldSelf.status.owner) && self.spec.owner == oldSelf.status.owner : !has(oldSelf.spec.owner))",message="owner is frozen: it names the role made at creation. Create further roles with SQL [ZDL-08]",fieldPath=".spec.owner"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.version) || (has(self.spec.bootstrap) ? has(oldSelf.spec.bootstrap) && self.spec.bootstrap == oldSelf.spec.bootstrap : !has(oldSelf.spec.bootstrap))",message="bootstrap is frozen: it is read once, when the database is created; a recovery stanza never rolls a live database back. Commit a new claim to recover into [ZDL-08]",fieldPath=".spec.bootstrap"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.version) || (has(self.spec.upgrade) ? has(oldSelf.spec.upgrade) && self.spec.upgrade == oldSelf.spec.upgrade : !has(oldSelf.spec.upgrade))",message="upgrade is frozen with bootstrap: it is read once, when the database is created [ZDL-08]",fieldPath=".spec.upgrade"
// +kubebuilder:validation:XValidation:rule="self.kind == 'XPostgresInstance' || self.metadata.name.matches('^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$')",message="the database, its Services and its archive are named after the claim: choose up to 50 lower-case letters, digits and hyphens, starting with a letter [ZDL-06]"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,description="PostgreSQL major that runs."
// +kubebuilder:printcolumn:name="Instances",type=string,JSONPath=`.status.instances`,description="Instances ready, of those wanted."
// +kubebuilder:printcolumn:name="Contract",type=string,JSONPath=`.status.contract.verdict`,description="Verdict on the zero-data-loss contract."
// +kubebuilder:printcolumn:name="Recoverable-Since",type=string,JSONPath=`.status.backup.recoverableSince`,description="Earliest moment the database can be recovered to."
// +kubebuilder:printcolumn:name="Last-Backup",type=string,JSONPath=`.status.backup.lastBackup`,priority=1,description="End of the newest successful base backup."
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`,priority=1,description="CloudNativePG's word for the state of the Cluster."
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`,priority=1,description="Secret applications connect with."
type PostgresInstance struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   v1alpha1.Spec   `json:"spec"`
	Status v1alpha1.Status `json:"status,omitempty"`
}
