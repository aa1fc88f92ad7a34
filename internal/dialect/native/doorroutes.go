package native

import "github.com/stagedoorhq/stagedoor/internal/scope"

// The collections of the door.
const (
	checkinPath = "/api/v1/checkin"
	listsPath   = "/api/v1/checkin-lists"
	gatesPath   = "/api/v1/gates"
	devicesPath = "/api/v1/devices"
)

// doorRoutes are those of the door. What is set up for it takes the right to change events, so that a scanner cannot change its own rules; scanners themselves
// are credentials, and so for who may administrate.
func (a *API) doorRoutes() {
	const door = "Door"

	change(a, route{
		method: "POST", path: checkinPath + "/scan", scope: scope.CheckinWrite, id: "scan", tag: door, summary: "Scan a code",
		detail: "Whatever comes of it is a 200, also a code that nobody knows. With a `nonce` a repeated request gets the same answer and has no second effect.",
		errors: []int{404},
	}, a.lookAtCode, a.scan, a.Keep.Do)
	change(a, route{
		method: "POST", path: checkinPath, scope: scope.CheckinWrite, id: "checkIn", tag: door, status: 201, summary: "Admit a ticket by hand",
		detail: "By the same rules as a scan. With `force` staff let it in against them, and say why in `note`; nobody is let in who is in already.", errors: []int{404},
	}, a.lookAtTicket, a.checkIn, a.Keep.Do)
	read(a, route{
		method: "GET", path: checkinPath, scope: scope.CheckinRead, id: "listCheckins", tag: door, summary: "List check-ins, newest first",
	}, a.listCheckins)
	read(a, route{
		method: "GET", path: checkinPath + "/search", scope: scope.CheckinRead, id: "searchTickets", tag: door, summary: "Find tickets at the door",
		detail: "By a part of the holder's name or e-mail address, or by the order's number or id. Not for apps.", errors: []int{404},
	}, a.searchTickets)
	read(a, route{
		method: "GET", path: checkinPath + "/conflicts", scope: scope.CheckinRead, id: "listConflicts", tag: door,
		summary: "List entries that others held before them", errors: []int{404},
	}, a.listConflicts)
	a.bundleRoute(route{
		method: "GET", path: checkinPath + "/bundle", scope: scope.CheckinRead, id: "getBundle", tag: door, summary: "Get what a device needs to decide without a network",
		detail: "With `If-None-Match` the answer is 304 as long as nothing is another.", errors: []int{404},
	})
	a.uploadRoute(route{
		method: "POST", path: checkinPath + "/upload", scope: scope.CheckinWrite, id: "uploadScans", tag: door, summary: "Upload what was scanned without a network",
		detail: "In any order, and as often as it takes: the end is the same. What the device let in is in; of two entries the earlier one holds, and the other is a conflict.",
	})
	read(a, route{
		method: "GET", path: checkinPath + "/{checkinId}", scope: scope.CheckinRead, id: "getCheckin", tag: door, summary: "Read a check-in",
	}, a.checkin)
	write(a, route{
		method: "PATCH", path: checkinPath + "/{checkinId}", scope: scope.CheckinWrite, id: "changeCheckin", tag: door, summary: "Correct a check-in's note or gate",
		detail: "What is left out stays.",
	}, a.changeCheckin)
	write(a, route{
		method: "DELETE", path: checkinPath + "/{checkinId}", scope: scope.CheckinWrite, id: "undoCheckin", tag: door, status: 204, summary: "Undo a check-in",
		detail: "As if nobody had come or gone. Doing it twice is fine.", errors: []int{409},
	}, a.undoCheckin)
	read(a, route{
		method: "GET", path: eventsPath + "/{eventId}/attendance", scope: scope.CheckinRead, id: "getAttendance", tag: door, summary: "See who is at an event",
	}, a.attendance)

	read(a, route{method: "GET", path: listsPath, scope: scope.CheckinRead, id: "listCheckinLists", tag: door, summary: "List check-in lists, oldest first", errors: []int{404}}, a.listLists)
	write(a, route{
		method: "POST", path: listsPath, scope: scope.EventsWrite, id: "createCheckinList", tag: door, status: 201, summary: "Make a check-in list",
		detail: "An event without a `default` list of its own admits each ticket once.", errors: []int{404},
	}, a.createList)
	read(a, route{method: "GET", path: listsPath + "/{listId}", scope: scope.CheckinRead, id: "getCheckinList", tag: door, summary: "Read a check-in list"}, a.checkinList)
	write(a, route{
		method: "PATCH", path: listsPath + "/{listId}", scope: scope.EventsWrite, id: "changeCheckinList", tag: door, summary: "Change a check-in list",
		detail: "What is left out stays. Once people came in by it, the policy stays too.", errors: []int{409},
	}, a.changeList)
	write(a, route{
		method: "DELETE", path: listsPath + "/{listId}", scope: scope.EventsWrite, id: "deleteCheckinList", tag: door, status: 204,
		summary: "Delete a check-in list that nobody came in by", errors: []int{409},
	}, a.deleteList)
	read(a, route{method: "GET", path: gatesPath, scope: scope.CheckinRead, id: "listGates", tag: door, summary: "List gates, oldest first"}, a.listGates)
	write(a, route{method: "POST", path: gatesPath, scope: scope.EventsWrite, id: "createGate", tag: door, status: 201, summary: "Make a gate"}, a.createGate)
	read(a, route{method: "GET", path: gatesPath + "/{gateId}", scope: scope.CheckinRead, id: "getGate", tag: door, summary: "Read a gate"}, a.gate)
	write(a, route{
		method: "PATCH", path: gatesPath + "/{gateId}", scope: scope.EventsWrite, id: "renameGate", tag: door, summary: "Rename a gate",
		detail: "What has come through it keeps the old name.", errors: []int{409},
	}, a.renameGate)
	write(a, route{method: "DELETE", path: gatesPath + "/{gateId}", scope: scope.EventsWrite, id: "deleteGate", tag: door, status: 204, summary: "Delete a gate"}, a.deleteGate)

	read(a, route{method: "GET", path: devicesPath, admin: true, id: "listDevices", tag: door, summary: "List devices, oldest first"}, a.listDevices)
	write(a, route{
		method: "POST", path: devicesPath, admin: true, id: "createDevice", tag: door, status: 201, summary: "Make a device",
		detail: "The answer has the one-time code with which the scanner is enrolled within an hour; it is not shown again.",
	}, a.createDevice)
	read(a, route{method: "GET", path: devicesPath + "/{deviceId}", admin: true, id: "getDevice", tag: door, summary: "Read a device"}, a.device)
	write(a, route{
		method: "PATCH", path: devicesPath + "/{deviceId}", admin: true, id: "changeDevice", tag: door, summary: "Change a device", detail: "What is left out stays.",
	}, a.changeDevice)
	write(a, route{method: "DELETE", path: devicesPath + "/{deviceId}", admin: true, id: "revokeDevice", tag: door, status: 204, summary: "End a device"}, a.revokeDevice)
	a.enrolRoute(door)
}
