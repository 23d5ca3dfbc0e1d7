package release

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"berth/internal/config"
	"berth/internal/release/plan"
	"berth/internal/release/trust"
)

// Plan is what a release does with the services of an app.
type Plan = plan.Plan

// Advice is a sentence about a key of a service in the compose file.
type Advice = plan.Advice

// Commit is what of an app a plan is made from.
type Commit struct {
	// SHA of the commit, Folder of its checkout, Root a folder of nothing else that Folder lies in: what the app names
	// there points out of its repository. "" for none.
	SHA, Folder, Root string
	// Model is Compose's normalised model of it, JSON with absolute paths.
	Model []byte
	// EnvFiles and LabelFiles are what services read, by their names; those of the server are absolute paths, and not in the model.
	EnvFiles, LabelFiles map[string][]string
	// Links are its symbolic links, by their paths in the checkout.
	Links []string
	// Tree gives git's hash of the file or folder at a path relative to the checkout, "" for what the commit does not
	// hold.
	Tree func(path string) (string, error)
	// ImageVolumes are the volumes that images declare themselves, by service, as far as they are known.
	ImageVolumes map[string][]string
}

// MakePlan plans the release of a commit without a server.
func MakePlan(cfg *config.Config, commit Commit) (*Plan, error) {
	model, err := plan.ReadModel(commit.Model, cfg.Images)
	if err != nil {
		return nil, err
	}
	given := &plan.Given{
		Commit: commit.SHA, Source: commit.Folder, Root: commit.Root, Binds: "/data/binds", Files: "/data/files",
		ImageVolumes: commit.ImageVolumes, Links: commit.Links, EnvFiles: ofTheServer(commit.EnvFiles), LabelFiles: ofTheServer(commit.LabelFiles), Settings: settingsOf(cfg),
	}
	if err := commit.contents(model, given); err != nil {
		return nil, err
	}
	document := plan.MakeDocument(model, given)
	made := document.Plan
	// Of a subnet that it did not make, the server alone knows the addresses.
	var own []string
	if cfg.SubnetID == "" && cfg.VPCCIDR.IsValid() {
		own = []string{cfg.VPCCIDR.String()}
	}
	beyond, err := trust.Check(commit.Model, trust.Given{Source: commit.Folder, Root: commit.Root, Own: own, Allow: cfg.Allow, Images: cfg.Images})
	if err != nil {
		return nil, err
	}
	made.Problems = append(append(made.Problems, beyond...), plan.Links(model, commit.Folder, commit.Links)...)
	made.Problems = append(made.Problems, made.Misplaced()...)
	if len(made.Problems) > 0 {
		return made, nil
	}
	made.Document, err = document.Text(commit.Folder)
	return made, err
}

// ofTheServer are the files that lie on the server.
func ofTheServer(files map[string][]string) map[string][]string {
	all := map[string][]string{}
	for service, paths := range files {
		for _, path := range paths {
			if filepath.IsAbs(path) {
				all[service] = append(all[service], path)
			}
		}
	}
	return all
}

// contents tells of the checkout: the hash of what the commit holds at each absolute path of the model that lies in it, which of
// those are folders, and the text of each service's Dockerfile.
func (c Commit) contents(model *plan.Model, given *plan.Given) error {
	given.Trees, given.Dockerfiles = map[string]string{}, map[string]string{}
	for name, service := range model.Services {
		if service.Build == nil {
			continue
		}
		if text, err := c.read(service.Build.Context, cmp.Or(service.Build.Dockerfile, "Dockerfile")); err == nil {
			given.Dockerfiles[name] = text
		}
	}
	for _, path := range model.Paths() {
		relative, inside := strings.CutPrefix(path+"/", c.Folder+"/")
		if !inside {
			continue
		}
		hash, err := c.Tree(strings.Trim(relative, "/"))
		if err != nil {
			return err
		}
		given.Trees[path] = hash
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			given.Folders = append(given.Folders, path)
		}
	}
	return nil
}

// read reads a file of a build's context that lies in the checkout; no link points out of that.
func (c Commit) read(context, name string) (string, error) {
	relative, err := filepath.Rel(c.Folder, context)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return "", err
	}
	text, err := root.ReadFile(filepath.Join(relative, name))
	return string(text), errors.Join(err, root.Close())
}
