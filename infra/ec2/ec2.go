// Package ec2 declares the resources of Amazon EC2 that a stack has. It stands in for the package of the same name in pulumi-aws, whose
// 125,000 lines take minutes and 3 GB of memory to compile: here are the inputs and outputs that Berth uses, by the SDK's names. A test
// in rehearsal/aws holds each of them against the SDK.
package ec2

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Register declares a resource of type token. Every resource of the program has its provider from a component, so that none of
// them has to name the provider's version.
func Register[R pulumi.CustomResource](ctx *pulumi.Context, token, name string, args any, made R, opts []pulumi.ResourceOption) (R, error) {
	err := ctx.RegisterResource(token, name, inputs(reflect.ValueOf(args).Elem()), made, opts...)
	return made, err
}

// inputs are the fields of args that are set, by their tags. A struct among them is an object, a slice a list of such.
func inputs(args reflect.Value) pulumi.Map {
	all := pulumi.Map{}
	for i := range args.NumField() {
		name, field := args.Type().Field(i).Tag.Get("pulumi"), args.Field(i)
		switch {
		case field.IsZero():
		case field.Kind() == reflect.Struct:
			all[name] = inputs(field)
		case field.Kind() == reflect.Slice:
			var list pulumi.Array
			for j := range field.Len() {
				list = append(list, inputs(field.Index(j)))
			}
			all[name] = list
		default:
			all[name] = field.Interface().(pulumi.Input)
		}
	}
	return all
}
