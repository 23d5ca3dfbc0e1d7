package aws

import "strings"

// Where the rehearsal's CloudWatch and S3 are on its internet.
const (
	MonitoringAddress = "198.51.100.5"
	S3Address         = "198.51.100.6"
)

// MonitoringHost is the name of CloudWatch's endpoint in the region of an instance.
func MonitoringHost(instance *Resource) string {
	return "monitoring." + regionOf(instance) + ".amazonaws.com"
}

// S3Host is the name of S3's endpoint in the region of an instance; a bucket's name comes before it.
func S3Host(instance *Resource) string { return "s3." + regionOf(instance) + ".amazonaws.com" }

func regionOf(instance *Resource) string {
	zone, _ := instance.Outputs["availabilityZone"].(string)
	return strings.TrimRight(zone, "abcdef")
}
