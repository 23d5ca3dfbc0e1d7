package aws

// These read properties of unknown shape, as JSON has them; what is absent is the zero value.

// Text is a text.
func Text(properties map[string]any, key string) string {
	value, _ := properties[key].(string)
	return value
}

// Number is a whole number.
func Number(properties map[string]any, key string) int {
	value, _ := properties[key].(float64)
	return int(value)
}

// Truth is a boolean.
func Truth(properties map[string]any, key string) bool {
	value, _ := properties[key].(bool)
	return value
}

// Object is an object.
func Object(properties map[string]any, key string) map[string]any {
	value, _ := properties[key].(map[string]any)
	return value
}

// Objects are those of a list.
func Objects(properties map[string]any, key string) []map[string]any {
	return items[map[string]any](properties, key)
}

// Texts are those of a list.
func Texts(properties map[string]any, key string) []string { return items[string](properties, key) }

// items are those of a list that are of one type.
func items[T any](properties map[string]any, key string) []T {
	list, _ := properties[key].([]any)
	var found []T
	for _, item := range list {
		if value, ok := item.(T); ok {
			found = append(found, value)
		}
	}
	return found
}
