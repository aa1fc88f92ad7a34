package chart

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// summed are the columns as a query adds them up.
var summed = func() string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = "CAST(COALESCE(sum(" + c + "), 0) AS BIGINT)"
	}
	return strings.Join(all, ", ")
}()

// part is the sums of what has a number in common.
type part struct {
	number int64
	sums   sums
}

func scan(r db.Rows) (p part, err error) {
	into := append(make([]any, 0, 1+len(p.sums)), &p.number)
	for i := range p.sums {
		into = append(into, &p.sums[i])
	}
	return p, r.Scan(into...)
}

// Series returns the points of an organisation, or of one of its endpoints when its number is not 0, oldest first. The last is the one in which now lies; those in
// which there was nothing are there too.
func (b *Book) Series(q db.Querier, org, endpoint int64, span Span, now time.Time) ([]Point, error) {
	shape := shapes[span]
	last := shape.grain.bucket(now) / shape.units
	first := last - int64(shape.points) + 1
	parts, err := db.All(q, scan, fmt.Sprintf(`SELECT bucket / %d, %s FROM %s WHERE org_id = $1 AND endpoint_id = $2 AND bucket >= $3 AND bucket < $4 GROUP BY 1`,
		shape.units, summed, shape.grain.table), org, endpoint, first*shape.units, (last+1)*shape.units)
	if err != nil {
		return nil, fmt.Errorf("read a chart: %w", err)
	}
	points := make([]Point, shape.points)
	for i := range points {
		points[i].At = shape.grain.start((first + int64(i)) * shape.units)
	}
	for _, p := range parts {
		points[p.number-first] = p.sums.point(points[p.number-first].At)
	}
	return points, nil
}

// Totals returns what all points of a series come to, with the percentiles of all; At is that of the first.
func (b *Book) Totals(q db.Querier, org, endpoint int64, span Span, now time.Time) (Point, error) {
	shape := shapes[span]
	last := shape.grain.bucket(now) / shape.units
	first := last - int64(shape.points) + 1
	p, err := db.One(q, scan, fmt.Sprintf(`SELECT 0, %s FROM %s WHERE org_id = $1 AND endpoint_id = $2 AND bucket >= $3 AND bucket < $4`, summed, shape.grain.table),
		org, endpoint, first*shape.units, (last+1)*shape.units)
	if err != nil {
		return Point{}, fmt.Errorf("read a chart's totals: %w", err)
	}
	return p.sums.point(shape.grain.start(first * shape.units)), nil
}

// TotalsOf returns the totals of some endpoints, such as those of a page of a list, by their numbers; those without any attempts are left out. But for [Hour] they
// are summed up by whole hours: a day is this hour and the 23 before it.
func (b *Book) TotalsOf(q db.Querier, org int64, endpoints []int64, span Span, now time.Time) (map[int64]Point, error) {
	g := hours
	if span == Hour {
		g = minutes
	}
	last := g.bucket(now)
	first := last + 1 - int64(time.Duration(span.Points())*span.Step()/g.unit)
	list, err := json.Marshal(endpoints)
	if err != nil {
		return nil, err
	}
	parts, err := db.All(q, scan, fmt.Sprintf(`SELECT endpoint_id, %s FROM %s WHERE org_id = $1 AND endpoint_id IN ints($2) AND bucket >= $3 AND bucket <= $4 GROUP BY 1`,
		summed, g.table), org, string(list), first, last)
	if err != nil {
		return nil, fmt.Errorf("read charts' totals: %w", err)
	}
	all := make(map[int64]Point, len(parts))
	for _, p := range parts {
		all[p.number] = p.sums.point(g.start(first))
	}
	return all, nil
}
