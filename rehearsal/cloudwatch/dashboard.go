package cloudwatch

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"berth/rehearsal/aws"
)

//go:embed dashboard.html.tmpl
var dashboardText string

var dashboardTemplate = template.Must(template.New("dashboard").Parse(dashboardText))

// Size of a cell of the dashboard's grid, which has 24 columns, and of a graph in its widget, in pixels.
const (
	cellWidth, cellHeight = 50, 45
	titleHeight           = 34
	legendHeight          = 22
)

// drawn is one widget as it is drawn.
type drawn struct {
	X, Y, Width, Height int
	Title               string
	Alarms              []drawnAlarm
	Lines               []line
	Marks               []mark
	// Least and Most are the ends of a graph's scale, Number is the latest value of a widget that shows one.
	Least, Most, Number   string
	GraphWidth, GraphTall int
}

type drawnAlarm struct{ Name, State string }

// line is the course of one metric; Points are for an SVG polyline.
type line struct{ Label, Colour, Points, Latest string }

// mark is a horizontal line over a graph.
type mark struct {
	Y     float64
	Label string
}

// colours can be distinguished by colour-blind readers, too. Source: Okabe and Ito, "Color Universal Design".
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7"}

// layout is what is drawn of a dashboard's. Source: CloudWatch API Reference, "Dashboard Body Structure and Syntax".
type layout struct {
	Widgets []struct {
		Type                string
		X, Y, Width, Height int
		Properties          struct {
			Title, View, Region string
			Alarms              []string
			Metrics             [][]any
			YAxis               struct{ Left struct{ Min, Max *float64 } }
			Annotations         struct {
				Horizontal []struct {
					Label string
					Value float64
				}
			}
		}
	}
}

// Draw writes the account's dashboard as a page, with what the service was given in the hour before now. Of what AWS itself
// measures, the load balancer's and the group's figures alone are in it. It is drawn as near to CloudWatch as it takes to judge what is on it.
func (s *Service) Draw(into io.Writer) error {
	account, err := aws.Read(s.account)
	if err != nil {
		return err
	}
	dashboards := account.OfType(aws.DashboardType)
	if len(dashboards) == 0 {
		return errors.New("the account has no dashboard; make one: make rehearse SET=alarmEmail=ops@example.test")
	}
	text, _ := dashboards[0].Outputs["dashboardBody"].(string)
	var given layout
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return fmt.Errorf("read the dashboard: %w", err)
	}
	points, states, err := s.seen()
	if err != nil {
		return err
	}
	page := struct {
		Name          string
		Width, Height int
		Widgets       []drawn
	}{Name: dashboards[0].ID, Width: 24 * cellWidth}
	now := s.now().UTC()
	for _, w := range given.Widgets {
		one := drawn{X: w.X * cellWidth, Y: w.Y * cellHeight, Width: w.Width*cellWidth - 8, Height: w.Height*cellHeight - 8, Title: w.Properties.Title}
		one.GraphWidth, one.GraphTall = one.Width-70, one.Height-titleHeight-legendHeight-24
		for _, arn := range w.Properties.Alarms {
			name := arn[strings.LastIndex(arn, ":alarm:")+len(":alarm:"):]
			one.Alarms = append(one.Alarms, drawnAlarm{name, states[name].State})
		}
		var all [][]Datapoint
		least, most := 0.0, 0.0
		for _, metric := range w.Properties.Metrics {
			found := course(points, w.Properties.Region, metric, now)
			all = append(all, found)
			for _, point := range found {
				most = max(most, point.Value)
			}
		}
		if axis := w.Properties.YAxis.Left; axis.Max != nil {
			most = *axis.Max
		}
		if most <= least {
			most = least + 1
		}
		for i, found := range all {
			one.Lines = append(one.Lines, one.line(labelOf(w.Properties.Metrics[i]), colours[i%len(colours)], found, least, most, now))
		}
		for _, annotation := range w.Properties.Annotations.Horizontal {
			one.Marks = append(one.Marks, mark{one.height(annotation.Value, least, most), annotation.Label})
		}
		one.Least, one.Most = number(least), number(most)
		if w.Properties.View == "singleValue" && len(one.Lines) > 0 {
			one.Number = one.Lines[0].Latest
		}
		page.Height = max(page.Height, one.Y+one.Height)
		page.Widgets = append(page.Widgets, one)
	}
	return dashboardTemplate.Execute(into, page)
}

// seen is what the service holds.
func (s *Service) seen() (points []Datapoint, states map[string]State, err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if points, err = s.points(); err != nil {
		return nil, nil, err
	}
	states, err = s.States()
	return points, states, err
}

const shown = time.Hour

// course are the datapoints of a widget's metric: namespace, name, dimensions each with its value, options.
func course(points []Datapoint, region string, metric []any, now time.Time) (found []Datapoint) {
	var words []string
	for _, item := range metric {
		if word, is := item.(string); is {
			words = append(words, word)
		}
	}
	if len(words) < 2 {
		return nil
	}
	options, _ := metric[len(metric)-1].(map[string]any)
	if other, ok := options["region"].(string); ok {
		region = other
	}
	dimensions := map[string]string{}
	for i := 2; i+1 < len(words); i += 2 {
		dimensions[words[i]] = words[i+1]
	}
	for _, point := range points {
		if point.Region == region && point.Namespace == words[0] && point.Metric == words[1] &&
			maps.Equal(point.Dimensions, dimensions) && point.Time.After(now.Add(-shown)) {
			found = append(found, point)
		}
	}
	slices.SortFunc(found, func(a, b Datapoint) int { return a.Time.Compare(b.Time) })
	return found
}

func labelOf(metric []any) string {
	options, _ := metric[len(metric)-1].(map[string]any)
	label, _ := options["label"].(string)
	return label
}

func (d drawn) line(label, colour string, found []Datapoint, least, most float64, now time.Time) line {
	drawn := line{Label: label, Colour: colour, Latest: "–"}
	for _, point := range found {
		x := float64(d.GraphWidth) * (1 - float64(now.Sub(point.Time))/float64(shown))
		drawn.Points += fmt.Sprintf("%.1f,%.1f ", x, d.height(point.Value, least, most))
		drawn.Latest = number(point.Value)
	}
	return drawn
}

// height is the height of a value on a graph, from its top.
func (d drawn) height(value, least, most float64) float64 {
	return float64(d.GraphTall) * (1 - (min(value, most)-least)/(most-least))
}

func number(value float64) string {
	unit := ""
	if value >= 10_000 {
		value, unit = value/1000, "k"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + unit
}
