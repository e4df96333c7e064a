//go:build !js && !light

package web

import (
	"reflect"
	"strings"
)

// sizes counts what can be reached from a value: the elements of every map, slice and channel, and the bytes of strings
// and byte slices that are elements, by the path of field names that leads there. What is not exported is counted too.
// The same map, slice or pointer is counted once, at the first path. skip names types that are not gone into.
func sizes(root any, skip ...string) map[string]int {
	w := walk{seen: map[uintptr]bool{}, out: map[string]int{}, skip: skip}
	v := reflect.ValueOf(root)
	w.go_(v, v.Type().Elem().Name(), 0)
	return w.out
}

type walk struct {
	seen map[uintptr]bool
	out  map[string]int
	skip []string
}

// flat reports whether a type's values hold nothing that grows.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Func, reflect.String,
		reflect.UnsafePointer:
		return false
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
	}
	return true
}

func (w *walk) go_(v reflect.Value, path string, deep int) {
	t := v.Type()
	if flat(t) || deep > 40 {
		return
	}
	for _, s := range w.skip {
		if strings.HasSuffix(t.String(), s) {
			return
		}
	}
	once := func(p uintptr) bool {
		if p == 0 || w.seen[p] {
			return false
		}
		w.seen[p] = true
		return true
	}
	switch v.Kind() {
	case reflect.Pointer:
		if once(v.Pointer()) {
			w.go_(v.Elem(), path, deep+1)
		}
	case reflect.Interface:
		if !v.IsNil() {
			w.go_(v.Elem(), path, deep+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := t.Field(i)
			name := path + "." + f.Name
			if f.Anonymous {
				name = path
			}
			w.go_(v.Field(i), name, deep+1)
		}
	case reflect.Map:
		if !once(v.Pointer()) {
			return
		}
		w.out[path] += v.Len()
		if flat(t.Elem()) && flat(t.Key()) {
			return
		}
		for it := v.MapRange(); it.Next(); {
			w.go_(it.Value(), path+"[]", deep+1)
		}
	case reflect.Slice:
		if v.Len() == 0 || !once(v.Pointer()) {
			return
		}
		w.out[path] += v.Len()
		if flat(t.Elem()) {
			return
		}
		for i := range v.Len() {
			w.go_(v.Index(i), path+"[]", deep+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			w.go_(v.Index(i), path+"[]", deep+1)
		}
	case reflect.String:
		w.out[path] += v.Len()
	case reflect.Chan:
		w.out[path] += v.Len()
	}
}
