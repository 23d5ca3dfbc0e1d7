// Package plan splits an app into the project of a release and the project "app", which persists across releases, and says
// what keeps the app from being released and what would better be otherwise.
package plan

import (
	"maps"
	"slices"
)

// project is the name of the one that persists, and of the app to Compose.
const project = "app"

// Plan is what a release does with the services of an app.
type Plan struct {
	// ID is the release's name, which the server gives.
	ID string `json:"id"`
	// Problems are sentences that keep the app from being released.
	Problems []Problem `json:"problems"`
	// Advice is what would better be otherwise.
	Advice []Advice `json:"advice"`
	// Stateless services are replaced by every release, Stateful ones persist; Because says why.
	Stateful  []string          `json:"stateful"`
	Stateless []string          `json:"stateless"`
	Because   map[string]string `json:"because"`
	// Alone are those of Stateless that never run twice: the old one is stopped before the new one starts.
	Alone []string `json:"alone"`
	// Stores are those of Stateful that hold data in a format of their own, such as databases. Once are the services that
	// others wait for until they have run.
	Stores []string `json:"stores"`
	Once   []string `json:"once"`
	// Spread are those of Stateless that run on every server, where there are several; the others run on the first. Where says why,
	// and Reach has those of the first that are needed from afar.
	Spread []string          `json:"spread"`
	Reach  []Reach           `json:"reach"`
	Where  map[string]string `json:"-"`
	// Images are built or pulled. Watched are the services that a volume which their images declare would make persistent, with the
	// places where something is mounted.
	Builds  []Construction      `json:"builds"`
	Pulls   []Pull              `json:"pulls"`
	Watched map[string][]string `json:"watched"`
	// App and Data are the compose files of the release and of the persistent services. Volumes are those of Data that App uses,
	// by the names that Docker knows them by, Join the networks of a release that persistent services are in.
	App     File     `json:"app"`
	Data    File     `json:"data"`
	Volumes []string `json:"volumes"`
	Join    []Join   `json:"join"`
	// Routes forward to loopback ports, Ports is where those come from. Addresses are those of the app's networks.
	Routes    []Upstream `json:"routes"`
	Ports     []Port     `json:"ports"`
	Addresses []Address  `json:"addresses"`
	// Files are the committed ones that persistent services mount, Fixed the mounts of the commit's folders, which are only read,
	// and Mountpoints the places of other mounts in them.
	Files       []Kept       `json:"files"`
	Fixed       []Fixed      `json:"fixed"`
	Mountpoints []Mountpoint `json:"mountpoints"`
	// Databases are dumped by their own tools, SQLite are volumes in which files of SQLite may be.
	Databases []Database `json:"databases"`
	SQLite    []SQLite   `json:"sqlite"`

	// Document is the plan as it goes to the server.
	Document string `json:"-"`
}

// Advice is a sentence about a key of a service in the compose file.
type Advice struct {
	Service string `json:"service"`
	Key     string `json:"key"`
	Text    string `json:"text"`
}

// planner holds what a plan is made with, and what is known so far.
type planner struct {
	*Given
	model *Model
	// services are the names of the model's services in their order.
	services []string
	*Plan
}

// Make plans a release.
func Make(model *Model, given *Given) *Plan {
	p := &planner{given, model, sorted(model.Services), &Plan{ID: releaseID}}
	p.Once = p.once()
	p.Because = p.because()
	p.Stateful = append([]string{}, sorted(p.Because)...)
	p.Stateless = append([]string{}, slices.DeleteFunc(slices.Clone(p.services), p.persistent)...)
	p.Alone = append([]string{}, slices.DeleteFunc(slices.Clone(p.Stateless), func(name string) bool { return p.service(name).label(overlap) != "false" })...)
	p.Ports, p.Routes = p.ports(), p.upstreams()
	p.Watched, p.Addresses = p.watched(), p.addresses()
	kinds := p.kindsOfDatabases()
	p.Stores = p.stores(kinds)
	p.Databases = p.databases(kinds)
	p.SQLite = p.sqlite()
	p.spread()
	p.split()
	p.Builds, p.Pulls = p.images()
	p.Plan.Files = p.keptFiles()
	mounts := p.mounts()
	p.Fixed = p.fixedFolders(mounts)
	p.Mountpoints = p.mountpoints(mounts)
	late := p.late()
	p.Problems = p.problems(kinds, nested(p.Given, mounts), late)
	p.Advice = p.advice(late)
	return p.Plan
}

func (p *planner) persistent(service string) bool { _, ok := p.Because[service]; return ok }

func (p *planner) isOnce(service string) bool { return slices.Contains(p.Once, service) }

func (p *planner) isStore(service string) bool { return slices.Contains(p.Stores, service) }

func (p *planner) service(name string) *Service { return p.model.Services[name] }

func has[V any](of map[string]V, key string) bool { _, ok := of[key]; return ok }

// unique are the different ones of a list, sorted and never null.
func unique(of []string) []string {
	all := map[string]bool{}
	for _, one := range of {
		all[one] = true
	}
	return append([]string{}, slices.Sorted(maps.Keys(all))...)
}
