package plan

import (
	"strconv"
	"strings"
)

// The compose files are read by the server's Compose, Debian 13's 2.26, which is older than the one that read the app's file.
// Source: the schemas of compose-go 2.0.2, which Compose 2.26.1 is built with, and of the version in go.mod.

// newKeys are those that it does not know and that change what runs; networkKeys those of a service's network.
var (
	newKeys     = []string{"gpus", "models", "post_start", "pre_start", "pre_stop", "provider", "umask", "use_api_socket"}
	networkKeys = []string{"driver_opts", "gw_priority", "interface_name", "use_service_name_alias"}
)

// tooNew are keys that the server's Compose does not know.
func (p *planner) tooNew() (all []Problem) {
	add := func(what, key string, below ...string) {
		section, name, _ := strings.Cut(what, " ")
		all = append(all, problem("compose-key-newer-than-server", append(keys(section+"s", name), below...), "%s has %s, which the server's Compose, Debian's 2.26, does not know; take it out of the compose file", what, key))
	}
	for _, name := range p.services {
		service := p.service(name)
		for _, file := range p.LabelFiles[name] {
			add("service "+name, "label_file "+file+", a file of the server", "label_file")
		}
		for _, key := range newKeys {
			if isSet(service.raw[key]) {
				add("service "+name, key, key)
			}
		}
		for _, network := range sorted(service.Networks) {
			for _, key := range networkKeys {
				if isSet(service.Networks[network][key]) {
					add("service "+name, "networks."+network+"."+key, "networks", network, key)
				}
			}
		}
		volumes, _ := service.raw["volumes"].([]any)
		for _, volume := range volumes {
			volume, _ := volume.(object)
			bind, _ := volume["bind"].(object)
			named, _ := volume["volume"].(object)
			switch {
			case volume["type"] == "image":
				add("service "+name, "a volume of type: image", "volumes")
			case isSet(bind["recursive"]):
				add("service "+name, "volumes.bind.recursive", "volumes")
			case isSet(named["labels"]):
				add("service "+name, "volumes.volume.labels", "volumes")
			}
		}
	}
	for _, name := range sorted(p.model.Networks) {
		if p.model.Networks[name]["enable_ipv4"] != nil {
			add("network "+name, "enable_ipv4", "enable_ipv4")
		}
	}
	return all
}

// isSet says whether a value of the model says anything.
func isSet(value any) bool {
	switch value := value.(type) {
	case object:
		return len(value) > 0
	case []any:
		return len(value) > 0
	case float64:
		return value != 0
	}
	return asText(value) != ""
}

// older writes a service as the server's Compose reads it.
func older(definition object) {
	// For a developer's machine, and for what is pulled now and then.
	delete(definition, "develop")
	delete(definition, "pull_refresh_after")
	for _, key := range []string{"secrets", "configs"} {
		modes(definition[key])
	}
	if text, ok := definition["mem_swappiness"].(string); ok {
		if number, err := strconv.Atoi(text); err == nil {
			definition["mem_swappiness"] = number
		}
	}
	deploy, _ := definition["deploy"].(object)
	resources, _ := deploy["resources"].(object)
	for _, of := range resources {
		if of, ok := of.(object); ok && of["cpus"] != nil {
			of["cpus"] = asText(of["cpus"])
		}
	}
	devices, _ := definition["devices"].([]any)
	for i, device := range devices {
		if device, ok := device.(object); ok {
			parts := []string{asText(device["source"]), asText(device["target"]), asText(device["permissions"])}
			devices[i] = strings.TrimRight(strings.Join(parts, ":"), ":")
		}
	}
	limits, _ := definition["blkio_config"].(object)
	for _, limit := range limits {
		limit, _ := limit.([]any)
		for _, one := range limit {
			lowered(one)
		}
	}
}

// lowered writes the keys of an object with small letters.
func lowered(value any) {
	one, _ := value.(object)
	for _, key := range sorted(one) {
		if small := strings.ToLower(key); small != key {
			one[small] = one[key]
			delete(one, key)
		}
	}
}

// modes writes the modes of files as numbers.
func modes(files any) {
	list, _ := files.([]any)
	for _, file := range list {
		file, _ := file.(object)
		if text, ok := file["mode"].(string); ok {
			if mode, err := strconv.ParseInt(text, 8, 32); err == nil {
				file["mode"] = mode
			}
		}
	}
}
