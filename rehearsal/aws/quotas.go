package aws

// Quotas are the account's, by Service Quotas' codes: Elastic IP addresses, vCPUs of the standard families, VPCs.
func Quotas() map[string]int {
	return map[string]int{"L-0263D0A3": addressLimit, "L-1216C47A": vcpuLimit, "L-F678F1CE": vpcLimit}
}
