package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// CacheVariable names the environment variable that moves the cache.
const CacheVariable = "FHP_E2E_CACHE"

// CacheDir is where built programs and fetched definitions are kept: one directory that can be saved and restored as a
// whole, and deleted at any time.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot find a place for the cache, set %s: %w", CacheVariable, err)
	}
	return filepath.Join(base, "function-hardened-postgres", "e2e"), nil
}

// Path is where the tool's binary lies, or will lie once built. The directory is keyed by everything the binary is
// made of, so a binary of other versions, flags or sources is never mistaken for it.
func (t Tool) Path() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	key, err := t.key()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, fmt.Sprintf("%s-%s-%s", t.Name, t.Version, key), t.Name), nil
}

// Cached says whether the binary is there.
func (t Tool) Cached() (bool, error) {
	path, err := t.Path()
	if err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular(), err
}

// key digests what goes into the binary: platform, toolchain, flags, and every file of the tool's module (go.mod and
// go.sum among them, which pin all the rest).
func (t Tool) key() (string, error) {
	root, err := root()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s/%s\n%s\n%s\n%s\n", runtime.GOOS, runtime.GOARCH, toolchain(), t.Package, t.Flags)
	for _, dir := range append([]string{t.Module}, t.Local...) {
		// WalkDir is in lexical order.
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path) //nolint:gosec // The path is one of our own tree.
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(name), len(raw))
			_, err = h.Write(raw)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("cannot digest the sources of %s: %w", t.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// toolchain is the version of the go command that will build, which need not be the one that built this program.
func toolchain() string {
	out, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		return runtime.Version()
	}
	return strings.TrimSpace(string(out))
}
