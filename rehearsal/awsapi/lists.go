package awsapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"berth/internal/config"
	"berth/internal/cost"
	"berth/rehearsal/aws"
	"berth/rehearsal/query"
)

// listOperations are of what AWS keeps lists of: quotas and prices.
func listOperations() map[string]operation {
	return map[string]operation{
		"servicequotas:GetServiceQuota":           {answer: getQuota},
		"servicequotas:GetAWSDefaultServiceQuota": {answer: getQuota},
		"pricing:GetProducts":                     {answer: getProducts},
	}
}

func getQuota(c *call) (any, *query.Failure) {
	service, code := fmt.Sprint(c.body["ServiceCode"]), fmt.Sprint(c.body["QuotaCode"])
	value, known := aws.Quotas()[code]
	if !known || (service != "ec2" && service != "vpc") {
		return nil, query.Refuse(http.StatusBadRequest, "NoSuchResourceException", "The request failed because the specified service quota does not exist.")
	}
	return map[string]any{"Quota": map[string]any{"ServiceCode": service, "QuotaCode": code, "Value": float64(value)}}, nil
}

// getProducts knows the prices of servers and of gp3, which it has from Berth's own list.
func getProducts(c *call) (any, *query.Failure) {
	wanted := map[string]string{}
	filters, _ := c.body["Filters"].([]any)
	for _, item := range filters {
		filter, _ := item.(map[string]any)
		wanted[fmt.Sprint(filter["Field"])] = fmt.Sprint(filter["Value"])
	}
	listed := cost.Listed(&config.Config{InstanceType: wanted["instanceType"]})
	price, attributes := 0.0, map[string]string{}
	switch {
	case c.region != "us-east-1" && c.region != "eu-central-1" && c.region != "ap-south-1":
		return nil, query.Refuse(http.StatusBadRequest, "InvalidParameterException", "The Price List API has no endpoint there")
	case c.body["ServiceCode"] != "AmazonEC2":
		return nil, query.Refuse(http.StatusBadRequest, "InvalidParameterException", "Input Service code is invalid")
	case wanted["volumeApiName"] == "gp3":
		price, attributes = listed.Gigabyte, map[string]string{"volumeApiName": "gp3", "regionCode": wanted["regionCode"]}
	case wanted["instanceType"] != "":
		price, attributes = listed.Server, map[string]string{"instanceType": wanted["instanceType"], "regionCode": wanted["regionCode"]}
	}
	list := []string{}
	if price > 0 && regions[wanted["regionCode"]] != "" {
		// The list is of texts that are JSON.
		product, err := json.Marshal(map[string]any{
			"product": map[string]any{"sku": "REHEARSAL", "attributes": attributes},
			"terms": map[string]any{"OnDemand": map[string]any{"REHEARSAL.JRTCKXETXF": map[string]any{"priceDimensions": map[string]any{
				"REHEARSAL.JRTCKXETXF.6YS6EN2CT7": map[string]any{"pricePerUnit": map[string]string{"USD": fmt.Sprintf("%.10f", price)}},
			}}}},
		})
		if err != nil {
			return nil, query.Internal(err)
		}
		list = append(list, string(product))
	}
	return map[string]any{"FormatVersion": "aws_v1", "PriceList": list}, nil
}
