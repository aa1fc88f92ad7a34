package native

import "github.com/stagedoorhq/stagedoor/internal/scope"

// The collections of people and apps.
const (
	clientsPath     = "/api/v1/oauth/clients"
	grantsPath      = "/api/v1/oauth/grants"
	profilePath     = "/api/v1/profile"
	tokensPath      = "/api/v1/tokens"
	keysPath        = "/api/v1/keys"
	membersPath     = "/api/v1/members"
	invitationsPath = "/api/v1/invitations"
	auditPath       = "/api/v1/audit"
)

// accountRoutes are the routes about people, and about what programs sign in with. All but a person's own are for who may administrate the
// organisation, and never for an app.
func (a *API) accountRoutes() {
	const apps, people = "Apps", "People"

	read(a, route{method: "GET", path: clientsPath, admin: true, id: "listClients", tag: apps, summary: "List apps (OAuth clients)"}, a.listClients)
	write(a, route{
		method: "POST", path: clientsPath, admin: true, id: "createClient", tag: apps, status: 201, summary: "Register an app",
		detail: "The answer has the secret, where the method has one; it is not shown again.",
	}, a.createClient)
	read(a, route{method: "GET", path: clientsPath + "/{clientId}", admin: true, id: "getClient", tag: apps, summary: "Read an app"}, a.client)
	write(a, route{
		method: "PATCH", path: clientsPath + "/{clientId}", admin: true, id: "changeClient", tag: apps, summary: "Change an app", detail: "What is left out stays.",
	}, a.changeClient)
	configure(a, route{
		method: "DELETE", path: clientsPath + "/{clientId}", admin: true, id: "deleteClient", tag: apps, status: 204,
		summary: "End an app, with its grants, tokens and webhooks",
	}, atOnce, a.deleteClient)
	write(a, route{
		method: "POST", path: clientsPath + "/{clientId}/rotate-secret", admin: true, id: "rotateClientSecret", tag: apps, summary: "Replace an app's secret",
		detail: "The one before is good for the overlap.", errors: []int{404},
	}, a.rotateClientSecret)
	read(a, route{method: "GET", path: grantsPath, admin: true, id: "listGrants", tag: apps, summary: "List what apps were allowed, newest first"}, a.listGrants)
	read(a, route{method: "GET", path: grantsPath + "/{grantId}", admin: true, id: "getGrant", tag: apps, summary: "Read a grant"}, a.grant)
	configure(a, route{
		method: "DELETE", path: grantsPath + "/{grantId}", admin: true, id: "revokeGrant", tag: apps, status: 204,
		summary: "Withdraw a grant, with its tokens and webhooks",
	}, atOnce, a.revokeGrant)

	read(a, route{method: "GET", path: profilePath, scope: scope.ProfileRead, open: true, id: "getProfile", tag: people, summary: "See whose token this is"}, a.profile)
	write(a, route{
		method: "PATCH", path: profilePath, scope: scope.ProfileWrite, open: true, id: "changeProfile", tag: people, summary: "Change one's name",
	}, a.changeProfile)
	read(a, route{method: "GET", path: tokensPath, own: true, open: true, id: "listTokens", tag: people, summary: "List one's personal tokens"}, a.listTokens)
	write(a, route{
		method: "POST", path: tokensPath, own: true, open: true, id: "createToken", tag: people, status: 201, summary: "Make a personal token",
		detail: "With no more than the token that it is made with may do. It is shown once.",
	}, a.createToken)
	write(a, route{
		method: "DELETE", path: tokensPath + "/{tokenId}", own: true, open: true, id: "revokeToken", tag: people, status: 204, summary: "End a personal token",
	}, a.revokeToken)

	read(a, route{method: "GET", path: keysPath, admin: true, id: "listKeys", tag: apps, summary: "List API keys, without the keys themselves"}, a.listKeys)
	write(a, route{
		method: "POST", path: keysPath, admin: true, id: "createKey", tag: apps, status: 201, summary: "Make an API key", detail: "It is shown once.",
	}, a.createKey)
	write(a, route{method: "DELETE", path: keysPath + "/{keyId}", admin: true, id: "revokeKey", tag: apps, status: 204, summary: "End an API key"}, a.revokeKey)
	read(a, route{method: "GET", path: membersPath, admin: true, id: "listMembers", tag: people, summary: "List the members of the organisation"}, a.listMembers)
	configure(a, route{
		method: "PATCH", path: membersPath + "/{userId}", admin: true, id: "changeMember", tag: people, summary: "Change what a member is", errors: []int{409},
	}, atOnce, a.changeMember)
	configure(a, route{
		method: "DELETE", path: membersPath + "/{userId}", admin: true, id: "removeMember", tag: people, status: 204, summary: "End a membership", errors: []int{409},
	}, atOnce, a.removeMember)
	read(a, route{method: "GET", path: invitationsPath, admin: true, id: "listInvitations", tag: people, summary: "List invitations that can still be used"}, a.listInvitations)
	write(a, route{
		method: "POST", path: invitationsPath, admin: true, id: "createInvitation", tag: people, status: 201, summary: "Invite somebody",
		detail: "The answer has the link, which is not shown again; send it to them.",
	}, a.createInvitation)
	write(a, route{
		method: "DELETE", path: invitationsPath + "/{linkId}", admin: true, id: "revokeInvitation", tag: people, status: 204, summary: "Take an invitation back",
	}, a.revokeInvitation)
	read(a, route{method: "GET", path: auditPath, admin: true, id: "listAudit", tag: people, summary: "Read the audit log, newest first"}, a.listAudit)
}
