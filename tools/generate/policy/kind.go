// Package policy is the kind around the policy's type, for controller-gen alone.
// +kubebuilder:object:generate=false
// +groupName=hardened-postgres.fn.bizmatters.io
// +versionName=v1beta1
package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/function-hardened-postgres/input/v1beta1"
)

// Policy is what the platform decides for every claim.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=crossplane
type Policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	v1beta1.Policy    `json:",inline"`
}
