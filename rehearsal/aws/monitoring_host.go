package aws

import "strings"

// MonitoringAddress is where the rehearsal's CloudWatch stands on its internet.
const MonitoringAddress = "198.51.100.5"

// MonitoringHost is the name of CloudWatch's endpoint in the region of an instance.
func MonitoringHost(instance *Resource) string {
	zone, _ := instance.Outputs["availabilityZone"].(string)
	return "monitoring." + strings.TrimRight(zone, "abcdef") + ".amazonaws.com"
}
