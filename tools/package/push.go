package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	containername "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// indexOf is what the function's reference stands for: an image for each architecture.
func indexOf(functions []release) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, f := range functions {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: f.image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: f.arch}},
		})
	}
	return index
}

// pushAll pushes the function's index with all its images, then the Configurations, as the user the machine is logged in as.
// It prints each digest, for whoever signs them.
func pushAll(owner, version string, index v1.ImageIndex, configurations map[string]v1.Image) error {
	login := remote.WithAuthFromKeychain(authn.DefaultKeychain)
	push := func(repository string, digest func() (v1.Hash, error), write func(containername.Reference) error) error {
		ref, err := containername.ParseReference(owner + "/" + repository + ":" + version)
		if err != nil {
			return fmt.Errorf("cannot push to %s: %w", owner, err)
		}
		if err := write(ref); err != nil {
			return fmt.Errorf("cannot push %s: %w", ref, err)
		}
		hash, err := digest()
		if err != nil {
			return fmt.Errorf("cannot hash %s: %w", ref, err)
		}
		fmt.Printf("pushed %s@%s\n", ref.Context(), hash)
		return nil
	}
	err := push(name, index.Digest, func(ref containername.Reference) error { return remote.WriteIndex(ref, index, login) })
	if err != nil {
		return err
	}
	for _, configuration := range slices.Sorted(maps.Keys(configurations)) {
		image := configurations[configuration]
		err := push(configuration, image.Digest, func(ref containername.Reference) error { return remote.Write(ref, image, login) })
		if err != nil {
			return err
		}
	}
	return nil
}
