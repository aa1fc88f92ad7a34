package oauth

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Sees is what a webhook that an app makes now may be told of. Who the request is from was found out a moment ago, and a grant takes its webhooks along
// when it ends: so that none comes after it, what the grant and its person may do is looked up again, in a transaction that nobody else writes beside.
// allowed says what a person may do in an organisation. Errors are problems: the token is not good any more, or insufficient_scope.
func Sees(tx *db.Tx, p *access.Principal, allowed func(q db.Querier, org, user int64) (scope.Set, error)) (scope.Set, error) {
	g, err := GrantByID(tx, p.Org, id.Grant(p.Credential))
	if problem.Is(err, "grant_not_found") {
		return 0, access.Invalid("What this token stands on has ended. Ask the person again.")
	}
	if err != nil {
		return 0, err
	}
	sees := p.Scopes & g.Scopes
	if p.UserNo != 0 {
		may, err := allowed(tx, p.Org, p.UserNo)
		if err != nil {
			return 0, err
		}
		sees &= may
	}
	if !sees.Has(scope.WebhooksManage) {
		return 0, &problem.Error{
			Kind: problem.Forbidden, Code: "insufficient_scope", Detail: "What this token stands on allows no webhooks any more. Ask the person again.",
			Challenge: fmt.Sprintf(`error="insufficient_scope", scope="%s"`, scope.WebhooksManage), // RFC 6750 §3.1
		}
	}
	return sees, nil
}
