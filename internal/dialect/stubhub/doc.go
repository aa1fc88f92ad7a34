// Package stubhub is StubHub's vocabulary: its webhooks on their way out ([Dialect]), and the part of its API that a client of its webhooks needs
// ([API]): /v2/webhooks, and what the payloads link to, /v2/sales, /v2/sellerlistings, /catalog/events and /catalog/venues.
//
// Resources are HAL+JSON; what they are called is StubHub's: a seller listing is a listing, a sale is an order or, while it is provisional, a hold. Its
// integer ids are the numbers of our rows. Nothing is kept here: every resource is a view of what the trade packages hold.
//
// What goes wrong is answered with StubHub's body {code, message, errors}, where errors names each field that is wrong as "resource.field".
package stubhub
