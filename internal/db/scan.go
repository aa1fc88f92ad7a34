package db

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// value turns an argument into what the SQLite driver takes: int64, string, []byte, bool or nil.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil:
		return nil, nil
	case string:
		return text(v)
	case int64, bool, float64:
		return v, nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case []byte:
		if v == nil {
			return nil, nil
		}
		return v, nil
	}
	r := reflect.ValueOf(a)
	switch r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return value(r.Elem().Interface())
	case reflect.String:
		return text(r.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint()), nil
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return value(r.Bytes())
		}
	}
	return nil, fmt.Errorf("a %T cannot be stored", a)
}

// errText is for text that PostgreSQL does not store; SQLite would, and could then not be moved to it.
var errText = problem.New(problem.Invalid, "invalid_text", "Text must be valid UTF-8 without the character U+0000.")

func text(s string) (driver.Value, error) {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return nil, errText
	}
	return s, nil
}

// assign puts a column's value into the place that dest points to.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		return assignInt(d, v)
	case *string:
		s, ok := v.(string)
		if !ok {
			return assignText(d, v)
		}
		*d = s
		return nil
	case *[]byte:
		switch x := v.(type) {
		case nil:
			*d = nil
		case []byte:
			*d = append([]byte{}, x...) // empty is not NULL
		case string:
			*d = []byte(x)
		default:
			return fmt.Errorf("a %T is not bytes", v)
		}
		return nil
	}
	r := reflect.ValueOf(dest)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return fmt.Errorf("scan into a %T", dest)
	}
	return assignReflect(r.Elem(), v)
}

func assignInt(d *int64, v driver.Value) error {
	switch x := v.(type) {
	case int64:
		*d = x
	case bool:
		*d = 0
		if x {
			*d = 1
		}
	default:
		return fmt.Errorf("a %T is not a number", v)
	}
	return nil
}

func assignText(d *string, v driver.Value) error {
	switch x := v.(type) {
	case []byte:
		*d = string(x)
	case int64:
		*d = strconv.FormatInt(x, 10)
	default:
		return fmt.Errorf("a %T is not text", v)
	}
	return nil
}

func assignReflect(r reflect.Value, v driver.Value) error {
	switch r.Kind() {
	case reflect.Pointer:
		if v == nil {
			r.SetZero()
			return nil
		}
		p := reflect.New(r.Type().Elem())
		if err := assign(p.Interface(), v); err != nil {
			return err
		}
		r.Set(p)
		return nil
	case reflect.String:
		var s string
		if err := assign(&s, v); err != nil {
			return err
		}
		r.SetString(s)
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		if err := assignInt(&n, v); err != nil {
			return err
		}
		if r.OverflowInt(n) {
			return fmt.Errorf("%d does not fit a %s", n, r.Type())
		}
		r.SetInt(n)
		return nil
	case reflect.Bool:
		var n int64
		if err := assignInt(&n, v); err != nil {
			return err
		}
		r.SetBool(n != 0)
		return nil
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			var b []byte
			if err := assign(&b, v); err != nil {
				return err
			}
			r.SetBytes(b)
			return nil
		}
	case reflect.Float64:
		switch x := v.(type) {
		case float64:
			r.SetFloat(x)
			return nil
		case int64:
			r.SetFloat(float64(x))
			return nil
		}
	}
	return fmt.Errorf("a %T does not go into a %s", v, r.Type())
}
