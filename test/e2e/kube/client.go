package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Client speaks to one API server as one user.
type Client struct {
	server string
	token  string
	http   *http.Client

	mu    sync.Mutex
	kinds map[string]resource // by apiVersion + "/" + kind
}

type resource struct {
	plural     string
	namespaced bool
}

// New returns a client. The TLS configuration carries the server's authority and, for a user without a token, the
// user's certificate.
func New(server string, t *tls.Config, token string) *Client {
	return &Client{
		server: server, token: token, kinds: map[string]resource{},
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: t, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32}},
	}
}

// Error is the API server's refusal.
type Error struct {
	Code            int
	Reason, Message string
}

// Error is the server's own words.
func (e *Error) Error() string { return fmt.Sprintf("%s (%d %s)", e.Message, e.Code, e.Reason) }

// Code of a refusal, 0 for anything else.
func Code(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return 0
}

// NotFound says whether the server does not have the object.
func NotFound(err error) bool { return Code(err) == http.StatusNotFound }

// Conflict says whether somebody else changed the object in between.
func Conflict(err error) bool { return Code(err) == http.StatusConflict }

const applyPatch = "application/apply-patch+yaml"

// Answer is what a write returned: the object as it now is, and the warnings the server (or a webhook) sent along.
type Answer struct {
	Object   Object
	Warnings []string
}

// attempts of a request whose answer gets lost on the way, which happens on a busy machine; only of those that may be
// sent twice: reads, and documents that say what shall be.
const attempts = 5

// Raw sends one request.
func (c *Client) Raw(ctx context.Context, method, path string, query url.Values, contentType string, body any) (Answer, error) {
	left := 1
	if method == http.MethodGet || contentType == applyPatch {
		left = attempts
	}
	for {
		answer, err := c.send(ctx, method, path, query, contentType, body)
		if left--; err == nil || Code(err) != 0 || left == 0 || ctx.Err() != nil {
			return answer, err
		}
		time.Sleep(time.Second)
	}
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, contentType string, body any) (Answer, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return Answer{}, fmt.Errorf("cannot encode the request: %w", err)
		}
		payload = bytes.NewReader(raw)
	}
	target := c.server + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return Answer{}, fmt.Errorf("cannot make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("cannot reach the API server: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // Read to its end below.

	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("cannot read the answer: %w", err)
	}
	var answer Answer
	for _, w := range res.Header.Values("Warning") {
		answer.Warnings = append(answer.Warnings, warning(w))
	}
	if res.StatusCode >= http.StatusBadRequest {
		var status struct{ Reason, Message string }
		if json.Unmarshal(raw, &status) != nil || status.Message == "" {
			status.Message = strings.TrimSpace(string(raw))
		}
		return answer, &Error{Code: res.StatusCode, Reason: status.Reason, Message: status.Message}
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return answer, nil // A health check's "ok".
	}
	if err := json.Unmarshal(raw, &answer.Object); err != nil {
		return answer, fmt.Errorf("cannot decode the answer: %w", err)
	}
	return answer, nil
}

// warning takes the text out of a Warning header: 299 - "text".
func warning(header string) string {
	_, text, _ := strings.Cut(header, `"`)
	return strings.ReplaceAll(strings.TrimSuffix(text, `"`), `\"`, `"`)
}

// path of a resource, looked up by discovery once per kind.
func (c *Client) path(ctx context.Context, apiVersion, kind, namespace, name string) (string, error) {
	base := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		base = "/api/" + apiVersion
	}
	c.mu.Lock()
	r, known := c.kinds[apiVersion+"/"+kind]
	c.mu.Unlock()
	if !known {
		answer, err := c.Raw(ctx, http.MethodGet, base, nil, "", nil)
		if err != nil {
			return "", fmt.Errorf("cannot find kind %s of %s: %w", kind, apiVersion, err)
		}
		for _, item := range answer.Object.Items("resources") {
			if item.String("kind") == kind && !strings.Contains(item.String("name"), "/") {
				namespaced, _ := item.At("namespaced").(bool)
				r, known = resource{plural: item.String("name"), namespaced: namespaced}, true
			}
		}
		if !known {
			return "", &Error{Code: http.StatusNotFound, Reason: "NoKindMatch", Message: fmt.Sprintf("%s has no kind %s", apiVersion, kind)}
		}
		c.mu.Lock()
		c.kinds[apiVersion+"/"+kind] = r
		c.mu.Unlock()
	}
	if r.namespaced && namespace != "" {
		base += "/namespaces/" + namespace
	}
	base += "/" + r.plural
	if name != "" {
		base += "/" + name
	}
	return base, nil
}

// Get returns one object.
func (c *Client) Get(ctx context.Context, r Ref) (Object, error) {
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return nil, err
	}
	answer, err := c.Raw(ctx, http.MethodGet, path, nil, "", nil)
	if err != nil {
		return nil, fmt.Errorf("cannot get %s: %w", r, err)
	}
	return answer.Object, nil
}

// List returns the objects of a kind; namespace and label selector may be empty.
func (c *Client) List(ctx context.Context, apiVersion, kind, namespace, labels string) ([]Object, error) {
	items, _, err := c.list(ctx, apiVersion, kind, namespace, labels)
	return items, err
}

func (c *Client) list(ctx context.Context, apiVersion, kind, namespace, labels string) ([]Object, string, error) {
	path, err := c.path(ctx, apiVersion, kind, namespace, "")
	if err != nil {
		return nil, "", err
	}
	query := url.Values{}
	if labels != "" {
		query.Set("labelSelector", labels)
	}
	answer, err := c.Raw(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return nil, "", fmt.Errorf("cannot list %s: %w", kind, err)
	}
	items := answer.Object.Items("items")
	for _, item := range items { // Lists leave these out of their items.
		item["apiVersion"], item["kind"] = apiVersion, kind
	}
	return items, answer.Object.String("metadata", "resourceVersion"), nil
}

// Apply applies a document server-side, as kubectl apply --server-side does: unknown fields are errors.
func (c *Client) Apply(ctx context.Context, o Object, manager string) (Answer, error) {
	return c.apply(ctx, o, manager, false)
}

// DryApply is Apply without an effect: everything up to and including admission happens.
func (c *Client) DryApply(ctx context.Context, o Object, manager string) (Answer, error) {
	return c.apply(ctx, o, manager, true)
}

func (c *Client) apply(ctx context.Context, o Object, manager string, dry bool) (Answer, error) {
	r := o.Ref()
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return Answer{}, err
	}
	query := url.Values{"fieldManager": {manager}, "force": {"true"}, "fieldValidation": {"Strict"}}
	if dry {
		query.Set("dryRun", "All")
	}
	answer, err := c.Raw(ctx, http.MethodPatch, path, query, applyPatch, o)
	if err != nil {
		return answer, fmt.Errorf("cannot apply %s: %w", r, err)
	}
	return answer, nil
}

// Create makes a new object.
func (c *Client) Create(ctx context.Context, o Object) (Answer, error) {
	r := o.Ref()
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, "")
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.Raw(ctx, http.MethodPost, path, url.Values{"fieldValidation": {"Strict"}}, "application/json", o)
	if err != nil {
		return answer, fmt.Errorf("cannot create %s: %w", r, err)
	}
	return answer, nil
}

// Update replaces an object, as kubectl edit and kubectl replace do.
func (c *Client) Update(ctx context.Context, o Object) (Answer, error) {
	r := o.Ref()
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.Raw(ctx, http.MethodPut, path, url.Values{"fieldValidation": {"Strict"}}, "application/json", o)
	if err != nil {
		return answer, fmt.Errorf("cannot update %s: %w", r, err)
	}
	return answer, nil
}

// Patch merges a document into an object or, where subresource is set, into that part of it.
func (c *Client) Patch(ctx context.Context, r Ref, subresource string, patch Object) (Answer, error) {
	return c.patch(ctx, r, subresource, patch, false)
}

// DryPatch is Patch without an effect.
func (c *Client) DryPatch(ctx context.Context, r Ref, patch Object) (Answer, error) {
	return c.patch(ctx, r, "", patch, true)
}

func (c *Client) patch(ctx context.Context, r Ref, subresource string, patch Object, dry bool) (Answer, error) {
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return Answer{}, err
	}
	if subresource != "" {
		path += "/" + subresource
	}
	query := url.Values{"fieldValidation": {"Strict"}}
	if dry {
		query.Set("dryRun", "All")
	}
	answer, err := c.Raw(ctx, http.MethodPatch, path, query, "application/merge-patch+json", patch)
	if err != nil {
		return answer, fmt.Errorf("cannot patch %s: %w", r, err)
	}
	return answer, nil
}

// Delete deletes an object as kubectl delete does, its dependents after it.
func (c *Client) Delete(ctx context.Context, r Ref) error { return c.delete(ctx, r, false) }

// DryDelete is Delete without an effect: rights and admission decide as they would.
func (c *Client) DryDelete(ctx context.Context, r Ref) error { return c.delete(ctx, r, true) }

func (c *Client) delete(ctx context.Context, r Ref, dry bool) error {
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return err
	}
	query := url.Values{"propagationPolicy": {"Background"}}
	if dry {
		query.Set("dryRun", "All")
	}
	if _, err := c.Raw(ctx, http.MethodDelete, path, query, "", nil); err != nil {
		return fmt.Errorf("cannot delete %s: %w", r, err)
	}
	return nil
}

// Token makes a token of a ServiceAccount.
func (c *Client) Token(ctx context.Context, namespace, account string) (string, error) {
	request := Object{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"spec": map[string]any{"expirationSeconds": int((24 * time.Hour).Seconds())},
	}
	path := "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + account + "/token"
	answer, err := c.Raw(ctx, http.MethodPost, path, nil, "application/json", request)
	if err != nil {
		return "", fmt.Errorf("cannot make a token for %s/%s: %w", namespace, account, err)
	}
	return answer.Object.String("status", "token"), nil
}

// Columns returns what kubectl get prints of one object, by column.
func (c *Client) Columns(ctx context.Context, r Ref) (map[string]string, error) {
	path, err := c.path(ctx, r.APIVersion, r.Kind, r.Namespace, r.Name)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the API server: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // Read below.
	var table Object
	if err := json.NewDecoder(res.Body).Decode(&table); err != nil {
		return nil, fmt.Errorf("cannot decode the table: %w", err)
	}
	out := map[string]string{}
	for _, row := range table.Items("rows") {
		cells, _ := row["cells"].([]any)
		for i, column := range table.Items("columnDefinitions") {
			if i < len(cells) && cells[i] != nil {
				out[column.String("name")] = fmt.Sprint(cells[i])
			}
		}
	}
	return out, nil
}
