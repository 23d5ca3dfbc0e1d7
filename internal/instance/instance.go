// Package instance knows the instance types that a server can have.
package instance

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Type is an instance type.
type Type struct {
	// Family is "t3", Size "micro".
	Family, Size string
	VCPUs        int
	// Memory is in MiB.
	Memory int
}

// Name is as EC2 writes it.
func (t Type) Name() string { return t.Family + "." + t.Size }

// Burstable says whether the type earns and spends CPU credits.
func (t Type) Burstable() bool { return strings.HasPrefix(t.Family, "t") }

//go:embed types.txt
var list string

// All are the types that a server can have, by family, each from small to large.
var All = parse(list)

func parse(text string) (all []Type) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(line, "#") {
			continue
		}
		for _, field := range fields[2:] {
			size, own, has := strings.Cut(field, "=")
			one := Type{Family: fields[0], Size: size}
			one.VCPUs = one.count()
			each := fields[1]
			gibibytes, _ := strconv.ParseFloat(own, 64)
			if !has {
				gibibytes, _ = strconv.ParseFloat(each, 64)
				gibibytes *= float64(one.VCPUs)
			}
			one.Memory = int(gibibytes * 1024)
			all = append(all, one)
		}
	}
	return all
}

// count is a type's vCPUs by its size: every size of a burstable type up to large has two, a medium of the others one.
func (t Type) count() int {
	if multiple, ok := strings.CutSuffix(t.Size, "xlarge"); ok {
		number, _ := strconv.Atoi(multiple)
		return 4 * max(number, 1)
	}
	if t.Size == "medium" && !t.Burstable() {
		return 1
	}
	return 2
}

// Lookup finds a type by its name.
func Lookup(name string) (Type, bool) {
	at := slices.IndexFunc(All, func(one Type) bool { return one.Name() == name })
	if at < 0 {
		return Type{}, false
	}
	return All[at], true
}

// Burstable says whether the type of this name earns and spends CPU credits.
func Burstable(name string) bool {
	found, ok := Lookup(name)
	return ok && found.Burstable()
}

// Families are the names of all families.
func Families() (names []string) {
	for _, one := range All {
		names = append(names, one.Family)
	}
	return slices.Compact(names)
}

// Larger is the smallest type of the same family with so many vCPUs and so much memory in MiB.
func (t Type) Larger(vCPUs float64, memory int64) (Type, bool) {
	at := slices.IndexFunc(All, func(one Type) bool {
		return one.Family == t.Family && float64(one.VCPUs) >= vCPUs && int64(one.Memory) >= memory
	})
	if at < 0 {
		return Type{}, false
	}
	return All[at], true
}

// Other is a type of another family with as many vCPUs and as much memory, for when AWS has none of this one.
func (t Type) Other() string {
	for _, one := range All {
		if one.Family != t.Family && one.VCPUs == t.VCPUs && one.Memory == t.Memory && one.Burstable() == t.Burstable() {
			return one.Name()
		}
	}
	return "t3.micro"
}

// Why a type is refused.
const (
	ARM, Metal, Xen, Unknown = "arm", "metal", "xen", "unknown"
)

var (
	// graviton matches the families with AWS's own processors: the first letter after the generation is a g. a1 was the first.
	graviton = regexp.MustCompile(`^(a1|[a-z]+[0-9]+g[a-z]*)$`)
	// xen matches the families of general, compute and memory types from before the Nitro System. Source: EC2 Instance Types Guide,
	// "Instances built on the AWS Nitro System" and "Previous generation instances".
	xen = regexp.MustCompile(`^(t1|t2|m[1-4]|c[1-4]|r[34])$`)
	// generation matches a family's class and generation.
	generation = regexp.MustCompile(`^([a-z]+)([0-9]+)`)
)

// Refuse says why a name is of no type that a server can have, and which type is closest.
func Refuse(name string) (why, instead string) {
	family, size, _ := strings.Cut(name, ".")
	switch {
	case graviton.MatchString(family):
		why = ARM
	case xen.MatchString(family):
		why = Xen
	case strings.HasPrefix(size, "metal"):
		why = Metal
	default:
		why = Unknown
	}
	return why, closest(family, size)
}

// closest is the same size of the same family, of its class in the same generation, or of its class in another; the family's first
// size where there is no such size, and the default for no such class.
func closest(family, size string) string {
	found := generation.FindStringSubmatch(family)
	if found == nil {
		return "t3.micro"
	}
	best, points := "t3.micro", 0
	for _, one := range All {
		class := generation.FindStringSubmatch(one.Family)
		if class[1] != found[1] {
			continue
		}
		score := 1
		for weight, same := range map[int]bool{8: one.Family == family, 4: class[2] == found[2], 2: one.Size == size} {
			if same {
				score += weight
			}
		}
		if score > points {
			best, points = one.Name(), score
		}
	}
	return best
}
