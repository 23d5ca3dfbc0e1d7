package scaling

import (
	"time"

	"berth/rehearsal/aws"
)

const instanceType = "aws:ec2/instance:Instance"

// seconds is a duration that AWS has in seconds, or what it is where nothing is said.
func seconds(properties map[string]any, key string, otherwise int) time.Duration {
	if _, said := properties[key].(float64); said {
		otherwise = aws.Number(properties, key)
	}
	return time.Duration(otherwise) * time.Second
}

// numberOr is a number, or what it is where nothing is said.
func numberOr(properties map[string]any, key string, otherwise int) int {
	if _, said := properties[key].(float64); said {
		return aws.Number(properties, key)
	}
	return otherwise
}

// textOr is a text, or what it is where nothing is said.
func textOr(properties map[string]any, key, otherwise string) string {
	if value := aws.Text(properties, key); value != "" {
		return value
	}
	return otherwise
}
