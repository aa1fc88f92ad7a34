package published

import "encoding/json"

// Link is a link of a resource or of something that is embedded in it.
type Link struct{ Relation, Href string }

// Links are all links in a body, wherever they stand, once each. What is no link of HAL's is passed over.
func Links(body []byte) []Link {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return nil
	}
	var all []Link
	seen := map[Link]bool{}
	links(v, func(l Link) {
		if !seen[l] {
			seen[l] = true
			all = append(all, l)
		}
	})
	return all
}

func links(v any, found func(Link)) {
	switch node := v.(type) {
	case []any:
		for _, child := range node {
			links(child, found)
		}
	case map[string]any:
		for name, child := range node {
			if name != "_links" {
				links(child, found)
				continue
			}
			relations, _ := child.(map[string]any)
			for relation, link := range relations {
				members, _ := link.(map[string]any)
				if href, ok := members["href"].(string); ok {
					found(Link{relation, href})
				}
			}
		}
	}
}
