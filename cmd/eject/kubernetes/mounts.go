package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxConfigMap is how much a ConfigMap holds. Source: Kubernetes, "ConfigMaps"; an object is larger than its data.
const maxConfigMap = 1<<20 - 16<<10

// inClaim is the folder of a claim that is mounted: a new file system has a lost+found of its own, which databases refuse.
const inClaim = "data"

// mount puts a volume into the container at a path.
func (p *pod) mount(name, target, sub string, readOnly bool, source corev1.VolumeSource) {
	if source != (corev1.VolumeSource{}) && !slices.ContainsFunc(p.spec.Volumes, func(there corev1.Volume) bool { return there.Name == name }) {
		p.spec.Volumes = append(p.spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	p.container.VolumeMounts = append(p.container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path.Clean(target), SubPath: sub, ReadOnly: readOnly})
}

func memory(size any) corev1.VolumeSource {
	made := &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
	if limit, ok := amount(size); ok {
		made.SizeLimit = &limit
	}
	return corev1.VolumeSource{EmptyDir: made}
}

// users are the services that mount each named volume.
func (m *maker) users() map[string][]string {
	all := map[string][]string{}
	for _, name := range m.services() {
		list, _ := m.file(name).Services[name]["volumes"].([]any)
		for _, one := range list {
			mount, _ := one.(object)
			if source := text(mount["source"]); mount["type"] == "volume" && source != "" && !slices.Contains(all[source], name) {
				all[source] = append(all[source], name)
			}
		}
	}
	return all
}

// own says whether a named volume is one service's alone, which keeps it as a StatefulSet.
func (m *maker) own(volume string) bool {
	users := m.users()[volume]
	return len(users) == 1 && slices.Contains(m.Stateful, users[0]) && !slices.Contains(m.Once, users[0])
}

// claim is a volume of its own.
func (m *maker) claim(name string) corev1.PersistentVolumeClaim {
	return corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: *resource.NewQuantity(int64(max(m.Config.VolumeSize, 1))<<30, resource.BinarySI),
			}},
		},
	}
}

func (m *maker) volumes(p *pod) error {
	list, _ := p.take("volumes").([]any)
	for i, one := range list {
		mount, _ := one.(object)
		source, target, readOnly := text(mount["source"]), text(mount["target"]), mount["read_only"] == true
		switch kind := text(mount["type"]); {
		case kind == "volume" && source != "":
			if err := m.composeVolume(p, source, target, mount, readOnly); err != nil {
				return err
			}
		case kind == "volume":
			name := fmt.Sprintf("berth-volume-%d", i)
			if slices.Contains(m.Stateful, p.name) && !slices.Contains(m.Once, p.name) {
				p.claims = append(p.claims, m.claim(name))
				p.mount(name, target, inClaim, readOnly, corev1.VolumeSource{})
				continue
			}
			p.mount(name, target, "", readOnly, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
		case kind == "tmpfs":
			settings, _ := mount["tmpfs"].(object)
			p.mount(fmt.Sprintf("berth-memory-%d", i), target, "", readOnly, memory(settings["size"]))
		case kind == "bind":
			if err := m.bind(p, i, source, target, readOnly); err != nil {
				return err
			}
		default:
			m.note(p.name, "a volume of type %s at %s: it is not carried over", kind, target)
		}
	}
	for i, one := range texts(p.take("tmpfs")) {
		target, options, _ := strings.Cut(one, ":")
		p.mount(fmt.Sprintf("berth-tmpfs-%d", i), target, "", false, memory(nil))
		if options != "" {
			m.note(p.name, "tmpfs %s: its options (%s) are not carried over", target, options)
		}
	}
	if size := p.take("shm_size"); size != nil {
		p.mount("berth-shared-memory", "/dev/shm", "", false, memory(size))
	}
	if from := texts(p.take("volumes_from")); len(from) > 0 {
		m.note(p.name, "volumes_from %s: mount the same claims in both", strings.Join(from, ", "))
	}
	return nil
}

// composeVolume mounts a volume of the compose file.
func (m *maker) composeVolume(p *pod, volume, target string, mount object, readOnly bool) error {
	label, err := m.named("volume", volume)
	if err != nil {
		return err
	}
	sub := inClaim
	if settings, _ := mount["volume"].(object); text(settings["subpath"]) != "" {
		sub = path.Join(inClaim, text(settings["subpath"]))
	}
	if m.own(volume) {
		if !slices.ContainsFunc(p.claims, func(there corev1.PersistentVolumeClaim) bool { return there.Name == label }) {
			p.claims = append(p.claims, m.claim(label))
		}
		p.mount(label, target, sub, readOnly, corev1.VolumeSource{})
		return nil
	}
	p.mount(label, target, sub, readOnly, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: label}})
	return nil
}

// claims are the volumes that more than one service mounts.
func (m *maker) claims() error {
	users := m.users()
	for _, volume := range sorted(users) {
		definition := m.Data.Volumes[volume]
		if definition["external"] == true || definition["driver_opts"] != nil || text(definition["driver"]) != "" && text(definition["driver"]) != "local" {
			m.note("", "volume %s: its driver and options, or that it is external, are not carried over; choose a storage class", volume)
		}
		if m.own(volume) {
			continue
		}
		label, err := m.named("volume", volume)
		if err != nil {
			return err
		}
		claim := m.claim(label)
		m.add("volumes", &claim)
		if len(users[volume]) > 1 {
			m.note("", "volume %s is mounted by %s: with ReadWriteOnce their pods have to run on one node; ReadWriteMany takes a storage class that has it", volume, strings.Join(users[volume], ", "))
		}
	}
	return nil
}

// bind mounts files of the commit from a ConfigMap; files that the app keeps beside it become a claim.
func (m *maker) bind(p *pod, i int, source, target string, readOnly bool) error {
	at, committed := m.path(source)
	if !committed {
		if strings.HasPrefix(source, "/data/binds/") {
			if slices.Contains(m.Stateful, p.name) && !slices.Contains(m.Once, p.name) && m.ownBind(source) {
				name := fmt.Sprintf("berth-kept-%d", i)
				p.claims = append(p.claims, m.claim(name))
				p.mount(name, target, inClaim, readOnly, corev1.VolumeSource{})
				m.note(p.name, "%s: what the server keeps in %s is on a claim of its own, which is empty at first", target, source)
				return nil
			}
			m.note(p.name, "%s: several services share what the server keeps in %s, or one that runs once writes there; mount a claim there in each", target, source)
			return nil
		}
		m.note(p.name, "%s: it is %s of the server, and a node of a cluster has no such thing to give; it is not mounted", target, strings.TrimPrefix(source, filled))
		return nil
	}
	all, err := m.committed(at)
	if err != nil {
		return err
	}
	if !readOnly {
		m.note(p.name, "%s: it comes from the commit and can only be read", target)
	}
	size := 0
	for _, file := range all {
		size += len(file.content) + len(file.name)
	}
	if size > maxConfigMap || len(all) == 0 {
		m.note(p.name, "%s: %s of the commit has %d bytes, and a ConfigMap holds %d and no empty folder; copy it into the image (COPY in its Dockerfile). It is not mounted", target, at, size, maxConfigMap)
		return nil
	}
	name := fmt.Sprintf("%s-files-%d", p.label, i)
	mounted, made := configMapOf(name, all)
	p.beside = append(p.beside, made)
	volume := fmt.Sprintf("berth-files-%d", i)
	if len(all) == 1 && all[0].name == "" {
		mounted.ConfigMap.Items = []corev1.KeyToPath{{Key: key(all[0], "file"), Path: "file"}}
		p.mount(volume, target, "file", true, mounted)
		return nil
	}
	p.mount(volume, target, "", true, mounted)
	return nil
}

// ownBind says whether one service alone mounts a folder that the server keeps.
func (m *maker) ownBind(source string) bool {
	count := 0
	for _, name := range m.services() {
		list, _ := m.file(name).Services[name]["volumes"].([]any)
		for _, one := range list {
			if mount, _ := one.(object); mount["source"] == source {
				count++
			}
		}
	}
	return count == 1
}

// committedFile is one of the commit's; name is its path in the folder that is mounted, "" where it is mounted itself.
type committedFile struct {
	name       string
	content    []byte
	executable bool
}

// committed reads a file or a folder of the commit. No link is followed.
func (m *maker) committed(at string) (all []committedFile, err error) {
	root, err := os.OpenRoot(m.Folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	at = filepath.ToSlash(filepath.Clean(filepath.FromSlash(at)))
	walked := fs.WalkDir(root.FS(), at, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() != ".git" {
			return err
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		name := ""
		if file != at {
			name = strings.TrimPrefix(file, strings.TrimPrefix(at+"/", "./"))
		}
		one := committedFile{name: name, executable: info.Mode()&0o111 != 0}
		if info.Size() > maxConfigMap {
			// How large it is suffices.
			one.content = make([]byte, info.Size())
		} else if one.content, err = fs.ReadFile(root.FS(), file); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	})
	if walked != nil {
		return nil, fmt.Errorf("read %s of the commit: %w", at, walked)
	}
	return all, nil
}

// key is a file's in a ConfigMap, which takes no slash.
func key(file committedFile, at string) string {
	name := file.name
	if name == "" {
		name = path.Base(at)
	}
	made := strings.Map(func(r rune) rune {
		if r == '/' {
			return '_'
		}
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, name)
	if made == "." || made == ".." || made == "" {
		made = "file"
	}
	return made
}

// configMapOf is a ConfigMap with files, and how it is mounted as they lie in their folder.
func configMapOf(name string, all []committedFile) (corev1.VolumeSource, *corev1.ConfigMap) {
	made := configMap(name, nil)
	mounted := &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}
	taken := map[string]bool{}
	for _, file := range all {
		used := key(file, "file")
		for n := 2; taken[used]; n++ {
			used = fmt.Sprintf("%s-%d", key(file, "file"), n)
		}
		taken[used] = true
		if utf8.Valid(file.content) {
			if made.Data == nil {
				made.Data = map[string]string{}
			}
			made.Data[used] = string(file.content)
		} else {
			if made.BinaryData == nil {
				made.BinaryData = map[string][]byte{}
			}
			made.BinaryData[used] = file.content
		}
		item := corev1.KeyToPath{Key: used, Path: file.name}
		if file.executable {
			mode := int32(0o755)
			item.Mode = &mode
		}
		if file.name != "" {
			mounted.Items = append(mounted.Items, item)
		}
	}
	return corev1.VolumeSource{ConfigMap: mounted}, made
}

// secretsAndConfigs are the files that Compose puts into a container.
func (m *maker) secretsAndConfigs(p *pod) error {
	file := m.file(p.name)
	for _, kind := range []struct {
		key, folder string
		of          map[string]object
	}{{"secrets", "/run/secrets/", file.Secrets}, {"configs", "/", file.Configs}} {
		list, _ := p.take(kind.key).([]any)
		for i, one := range list {
			used, _ := one.(object)
			source := text(used["source"])
			target := text(used["target"])
			if target == "" {
				target = kind.folder + source
			} else if !strings.HasPrefix(target, "/") {
				target = kind.folder + target
			}
			if err := m.filed(p, fmt.Sprintf("berth-%s-%d", kind.key, i), kind.key, source, target, kind.of[source]); err != nil {
				return err
			}
		}
	}
	return nil
}

// filed mounts one secret or config as a file.
func (m *maker) filed(p *pod, volume, kind, source, target string, definition object) error {
	label, err := m.named(kind, source)
	if err != nil {
		return err
	}
	content, has := definition["content"].(string)
	at, committed := m.path(text(definition["file"]))
	variable := text(definition["environment"])
	public := kind == "configs" && (committed || has && len(references(content)) == 0)
	if !public {
		from := "what " + kind + " " + source + " of the compose file holds"
		switch {
		case variable != "":
			from = "the variable " + variable
		case text(definition["file"]) != "":
			from = "the file " + strings.TrimPrefix(text(definition["file"]), filled+"SOURCE@/")
		case has:
			from = "the content of " + source + " in the compose file, with berth:secrets." + strings.Join(references(content), ", berth:secrets.") + " filled in"
		}
		label = "secret-" + label
		m.secret(label, "file", from)
		p.mount(volume, target, "file", true, corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: label}})
		return nil
	}
	all := []committedFile{{content: []byte(content)}}
	if committed {
		if all, err = m.committed(at); err != nil {
			return err
		}
		if len(all) != 1 || len(all[0].content) > maxConfigMap {
			m.note(p.name, "config %s: it is not one file of at most %d bytes; copy it into the image", source, maxConfigMap)
			return nil
		}
	}
	mounted, made := configMapOf(p.label+"-config-"+label, all)
	mounted.ConfigMap.Items = []corev1.KeyToPath{{Key: slices.Min(slices.Concat(slices.Collect(maps.Keys(made.Data)), slices.Collect(maps.Keys(made.BinaryData)))), Path: "file"}}
	p.beside = append(p.beside, made)
	p.mount(volume, target, "file", true, mounted)
	return nil
}
