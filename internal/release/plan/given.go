package plan

import (
	"regexp"
	"slices"
	"strings"

	"berth/internal/config"
)

// Given is what is known of the release besides the app's model.
type Given struct {
	// Commit is the release's, Source its checkout, an absolute path; Root the folder that holds the checkout: what lies in it and
	// not in the checkout was reached by "..". "" for none.
	Commit string `json:"commit"`
	Source string `json:"source"`
	Root   string `json:"root"`
	// Trees are the hashes of the committed content at absolute paths, "" for none; Folders those of the paths that are folders.
	Trees   map[string]string `json:"trees"`
	Folders []string          `json:"folders"`
	// Links are the commit's symbolic links, by their paths in the checkout; Dockerfiles the texts of services' Dockerfiles.
	Links       []string          `json:"links"`
	Dockerfiles map[string]string `json:"dockerfiles"`
	// EnvFiles and LabelFiles are the files of the server that services read.
	EnvFiles   map[string][]string `json:"env_files"`
	LabelFiles map[string][]string `json:"label_files"`
	// ImageVolumes are the volumes that images declare themselves, by service, as far as they are known.
	ImageVolumes map[string][]string `json:"image_volumes"`
	// Binds is where uncommitted files are kept, Files where committed files of stateful services are.
	Binds string `json:"binds"`
	Files string `json:"files"`

	Settings
}

// Settings are those of the stack that a plan follows.
type Settings struct {
	Routes    []Route           `json:"routes"`
	Images    map[string]string `json:"images"`
	Strategy  string            `json:"strategy"`
	Migration *config.Migration `json:"migration"`
	Database  *config.Database  `json:"database"`
	Allow     []string          `json:"allow,omitempty"`
	// External are the services that run elsewhere, by their hosts. The model has none of them; another host is another release.
	External map[string]string `json:"external,omitempty"`
}

// Route leads a path to a port of a service.
type Route = config.Route

// below says whether a path is a folder or lies in it.
func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// inside says whether a path lies in a folder and is not the folder itself.
func inside(path, folder string) bool {
	return path != folder && strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// straight is a path without slashes at its end.
func straight(path string) string {
	if path == "/" {
		return path
	}
	return strings.TrimRight(path, "/")
}

// relative is a path as one would write it in the folder base.
func relative(path, base string) string {
	to, from := strings.Split(path, "/"), strings.Split(base, "/")
	same := 0
	for same < len(from) && same < len(to) && from[same] == to[same] {
		same++
	}
	steps := slices.Repeat([]string{".."}, len(from)-same)
	return strings.Join(append(steps, to[same:]...), "/")
}

func (g *Given) committed(path string) bool { return g.Trees[path] != "" }

// holds says whether a path lies in the checkout and is committed.
func (g *Given) holds(path string) bool { return below(path, g.Source) && g.committed(path) }

// shown is a path as the compose file would write it.
func (g *Given) shown(path string) string { return strings.TrimPrefix(path, g.Source+"/") }

// outside says whether a path goes out of the checkout into the folder that holds it, where nothing of the app can be.
func (g *Given) outside(path string) bool {
	return g.Root != "" && below(path, g.Root) && !below(path, g.Source)
}

func (g *Given) allows(name string) bool { return slices.Contains(g.Allow, name) }

// routed says whether a route points to a service.
func (g *Given) routed(service string) bool {
	return slices.ContainsFunc(g.Routes, func(route Route) bool { return route.Service == service })
}

// hasDatabase says whether a service is the one of the setting berth:database.
func (g *Given) hasDatabase(service string) bool {
	return g.Database != nil && g.Database.Service == service
}

// dataBind says whether a container mounts from the checkout what the commit does not hold: that is data.
func (g *Given) dataBind(mount Mount) bool {
	return mount.Type == "bind" && below(mount.Source, g.Source) && !g.committed(mount.Source)
}

// systemPath matches sockets, devices and what the system itself keeps.
var systemPath = regexp.MustCompile(`\.sock(et)?$|^/+(var/)?run(/|$)|^/+(dev|proc|sys)(/|$)|^/+tmp/\.X11-unix|^/+etc/(localtime|timezone)$|^/+usr/share/zoneinfo|^/+(usr/)?lib/modules`)

// keepsFiles says whether a container may write to what is mounted, and it is data: uncommitted, or the server's own.
func (g *Given) keepsFiles(mount Mount) bool {
	if mount.ReadOnly || mount.Type != "bind" {
		return false
	}
	if below(mount.Source, g.Source) {
		return !g.committed(mount.Source)
	}
	return !g.outside(mount.Source) && !systemPath.MatchString(mount.Source)
}

// fixed says whether a mount is of the commit's files, which are read by Berth, by other services and by the release that is
// returned to, so a container does not change them. Most mounts of them lack :ro and write nothing: they are mounted so, not
// refused. With host-mounts it may.
func (g *Given) fixed(mount Mount) bool {
	return mount.Type == "bind" && g.holds(mount.Source) && !g.allows("host-mounts")
}

// byContent is where a committed file that a stateful service mounts is found by its content: a commit that leaves it as it is
// is no change of the service.
func (g *Given) byContent(path string) string {
	if path != "" && g.holds(path) {
		return g.Files + "/" + g.Trees[path]
	}
	return path
}

// moved is where the uncommitted files of a mount are kept.
func (g *Given) moved(source string) string { return g.Binds + "/" + g.shown(source) }
