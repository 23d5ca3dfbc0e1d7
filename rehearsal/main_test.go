package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCommandsNameTheirRehearsal: without the name they would be another one's.
func TestCommandsNameTheirRehearsal(t *testing.T) {
	const text = "make rehearse SET=a=b; make rehearse-destroy && make rehearse-clean; make rehearse NAME=second APP=../shop"
	assert.Equal(t, text, withName(usualName, text))
	assert.Equal(t, "make rehearse NAME=news SET=a=b; make rehearse-destroy NAME=news && make rehearse-clean NAME=news; make rehearse NAME=second APP=../shop", withName("berth-news", text))
	assert.Equal(t, text, withName("mine", text), "it was not made by make")
}
