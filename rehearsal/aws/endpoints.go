package aws

import "strings"

// MonitoringName is the name of CloudWatch's endpoint in the region of an instance.
func MonitoringName(instance *Resource) string {
	return "monitoring." + regionOf(instance) + ".amazonaws.com"
}

// S3Name is the name of S3's endpoint in the region of an instance; a bucket's name comes before it.
func S3Name(instance *Resource) string { return "s3." + regionOf(instance) + ".amazonaws.com" }

func regionOf(instance *Resource) string {
	zone, _ := instance.Outputs["availabilityZone"].(string)
	return strings.TrimRight(zone, "abcdef")
}
