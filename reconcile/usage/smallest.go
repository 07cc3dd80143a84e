package usage

import (
	"maps"
	"slices"
)

// smallest counts the use of at most max things, those with the smallest keys, and adds up that of all others. The result
// does not depend on the order in which they are used: a key that is among the smallest in the end always
// was, and one that was left out is left out again if it comes back.
type smallest[K comparable] struct {
	max     int
	compare func(a, b K) int
	kept    map[K]*Use
	rest    Use
}

func newSmallest[K comparable](max int, compare func(a, b K) int) smallest[K] {
	return smallest[K]{max: max, compare: compare, kept: map[K]*Use{}}
}

// use returns where to count the use of key, until the next call.
func (s *smallest[K]) use(key K) *Use {
	if u, ok := s.kept[key]; ok {
		return u
	}
	if len(s.kept) >= 2*s.max { // not for each key, so that one costs little
		s.trim()
	}
	u := &Use{}
	s.kept[key] = u
	return u
}

// trim leaves max keys.
func (s *smallest[K]) trim() {
	if len(s.kept) <= s.max {
		return
	}
	keys := slices.SortedFunc(maps.Keys(s.kept), s.compare)
	for _, key := range keys[s.max:] {
		s.rest.merge(*s.kept[key])
		delete(s.kept, key)
	}
}

func (s *smallest[K]) merge(other smallest[K]) {
	for key, u := range other.kept {
		s.use(key).merge(*u)
	}
	s.rest.merge(other.rest)
}
