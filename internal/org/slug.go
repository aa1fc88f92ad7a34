package org

import (
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const maxSlug = 64

// freeSlug returns the slug that was asked for, or one made of the name that nobody has.
func freeSlug(q db.Querier, asked, name string) (string, error) {
	base := asked
	if base == "" {
		base = slugOf(name)
	}
	taken, err := db.All(q, db.Value[string], `SELECT slug FROM orgs WHERE slug = $1 OR slug LIKE $2`, base, base+"-%")
	if err != nil {
		return "", fmt.Errorf("look for slug: %w", err)
	}
	has := map[string]bool{}
	for _, s := range taken {
		has[s] = true
	}
	switch {
	case !has[base]:
		return base, nil
	case asked != "":
		return "", problem.New(problem.Conflict, "slug_taken", "There is an organisation with the slug %q already; choose another.", asked)
	}
	for n := 2; ; n++ {
		if s := fmt.Sprintf("%s-%d", base, n); !has[s] {
			return s, nil
		}
	}
}

func validSlug(s string) bool {
	return len(s) >= 1 && len(s) <= maxSlug && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		!strings.HasPrefix(s, "-") && !strings.HasSuffix(s, "-")
}

// plain spells letters of European languages with a-z. What is in no such alphabet becomes a hyphen.
var plain = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ā", "a", "ă", "a", "ą", "a", "æ", "ae", "ç", "c", "ć", "c", "č", "c",
	"ď", "d", "đ", "d", "ð", "d", "è", "e", "é", "e", "ê", "e", "ë", "e", "ē", "e", "ė", "e", "ę", "e", "ě", "e", "ğ", "g", "ģ", "g",
	"ì", "i", "í", "i", "î", "i", "ï", "i", "ī", "i", "į", "i", "ı", "i", "ķ", "k", "ļ", "l", "ł", "l", "ľ", "l", "ñ", "n", "ń", "n",
	"ņ", "n", "ň", "n", "ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o", "ő", "o", "œ", "oe", "ŕ", "r", "ř", "r", "ś", "s",
	"ş", "s", "š", "s", "ș", "s", "ß", "ss", "ť", "t", "ț", "t", "ţ", "t", "þ", "th", "ù", "u", "ú", "u", "û", "u", "ü", "u", "ū", "u",
	"ů", "u", "ű", "u", "ų", "u", "ý", "y", "ÿ", "y", "ź", "z", "ż", "z", "ž", "z", "'", "", "’", "", "&", " and ")

// slugOf makes a slug of a name: "Bühne & Köln" becomes buhne-and-koln.
func slugOf(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range plain.Replace(strings.ToLower(name)) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('-')
		}
		gap = false
		b.WriteRune(r)
	}
	s := b.String()
	if len(s) > maxSlug-8 { // leaves room for "-2"
		s = strings.TrimRight(s[:maxSlug-8], "-")
	}
	if s == "" {
		return "org"
	}
	return s
}
