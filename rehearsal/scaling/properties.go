package scaling

import "time"

const instanceType = "aws:ec2/instance:Instance"

// Helpers that read properties of unknown shape; what is absent is the zero value.

func text(properties map[string]any, key string) string {
	value, _ := properties[key].(string)
	return value
}

func number(properties map[string]any, key string) int {
	value, _ := properties[key].(float64)
	return int(value)
}

func truth(properties map[string]any, key string) bool {
	value, _ := properties[key].(bool)
	return value
}

func object(properties map[string]any, key string) map[string]any {
	value, _ := properties[key].(map[string]any)
	return value
}

func objects(properties map[string]any, key string) []map[string]any {
	items, _ := properties[key].([]any)
	var all []map[string]any
	for _, item := range items {
		if value, ok := item.(map[string]any); ok {
			all = append(all, value)
		}
	}
	return all
}

func texts(properties map[string]any, key string) []string {
	items, _ := properties[key].([]any)
	var all []string
	for _, item := range items {
		if value, ok := item.(string); ok {
			all = append(all, value)
		}
	}
	return all
}

// seconds is a duration that AWS has in seconds, or what it is where nothing is said.
func seconds(properties map[string]any, key string, otherwise int) time.Duration {
	if _, said := properties[key].(float64); said {
		otherwise = number(properties, key)
	}
	return time.Duration(otherwise) * time.Second
}

// numberOr is a number, or what it is where nothing is said.
func numberOr(properties map[string]any, key string, otherwise int) int {
	if _, said := properties[key].(float64); said {
		return number(properties, key)
	}
	return otherwise
}

// textOr is a text, or what it is where nothing is said.
func textOr(properties map[string]any, key, otherwise string) string {
	if value := text(properties, key); value != "" {
		return value
	}
	return otherwise
}
