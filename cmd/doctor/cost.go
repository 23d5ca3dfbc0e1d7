package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"

	"berth/internal/config"
	"berth/internal/cost"
)

// cost says what the stack will cost a month: by AWS's own list where that answers, by Berth's where it does not.
func (d *doctor) cost(ctx context.Context) finding {
	cfg, _, skipped := d.sound(ctx, "instanceType", "volumeSize", "alarmEmail", "region")
	if skipped != nil {
		return *skipped
	}
	listed := cost.Listed(cfg)
	prices, err := d.priced(ctx, cfg)
	if err != nil {
		return fine("%s (Berth's own list; AWS's does not answer)", listed.Sentence(cfg))
	}
	if cfg.Region == listed.Region && (listed.ServerRegion == "" && differs(prices.Server, listed.Server) || differs(prices.Gigabyte, listed.Gigabyte)) {
		return fine("%s (AWS's list of today; docs/costs.md has older prices)", prices.Sentence(cfg))
	}
	return fine("%s (AWS's list of today)", prices.Sentence(cfg))
}

// differs says whether two prices are not the same.
func differs(a, b float64) bool { return math.Abs(a-b) > 0.00005 }

// priced asks AWS's list for what differs between regions.
func (d *doctor) priced(ctx context.Context, cfg *config.Config) (cost.Prices, error) {
	who, err := d.signedIn(ctx)
	if err != nil {
		return cost.Prices{}, err
	}
	client := pricing.NewFromConfig(in(who.settings, home))
	server, err := priceOf(ctx, client, map[string]string{
		"instanceType": cfg.InstanceType, "regionCode": cfg.Region, "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
	})
	if err != nil {
		return cost.Prices{}, err
	}
	gigabyte, err := priceOf(ctx, client, map[string]string{"volumeApiName": "gp3", "regionCode": cfg.Region, "productFamily": "Storage"})
	return cost.Prices{Region: cfg.Region, Server: server, Gigabyte: gigabyte}, err
}

// priceOf is the price of the one product of EC2's that has these attributes.
func priceOf(ctx context.Context, client *pricing.Client, attributes map[string]string) (float64, error) {
	input := &pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2")}
	for field, value := range attributes {
		input.Filters = append(input.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: aws.String(field), Value: aws.String(value)})
	}
	answer, err := client.GetProducts(ctx, input)
	if err != nil {
		return 0, err
	}
	if len(answer.PriceList) != 1 {
		return 0, fmt.Errorf("AWS's list has %d products for %v", len(answer.PriceList), attributes)
	}
	var product struct {
		Terms struct {
			OnDemand map[string]struct {
				PriceDimensions map[string]struct{ PricePerUnit map[string]string }
			}
		}
	}
	if err := json.Unmarshal([]byte(answer.PriceList[0]), &product); err != nil {
		return 0, err
	}
	for _, offer := range product.Terms.OnDemand {
		for _, dimension := range offer.PriceDimensions {
			if price, err := strconv.ParseFloat(dimension.PricePerUnit["USD"], 64); err == nil && price > 0 {
				return price, nil
			}
		}
	}
	return 0, errors.New("AWS's list has no price in USD")
}
