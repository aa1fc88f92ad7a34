// Package archtest holds the house together: its tests read the source of the
// whole module and fail where it departs from the design. It has no code of its
// own and nobody imports it.
//
// What it holds, each as a table at the head of its file, to be changed on
// purpose and with a reason:
//
//   - imports_test.go: who may import whom, and which libraries stay behind one
//     package;
//   - tables_test.go: a table belongs to the package that its migration is named
//     for, nobody else names it in SQL, and it carries org_id;
//   - network_test.go: only internal/egress connects to addresses that somebody
//     else gave us;
//   - docs_test.go: every package opens with a doc comment.
//
// The rules are about the code that ships. Test files are bound only where a
// table says so.
package archtest
