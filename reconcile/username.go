package reconcile

import (
	"strconv"
	"strings"
)

// FirstEpoch is the epoch in which every name begins that nobody had before.
const FirstEpoch = 1

// maxUsername is how many bytes a CN may have, by X.520.
const maxUsername = 64

// Username is the name by which Kubernetes knows a user in an epoch: the CN of their certificate, and the subject of their
// bindings. In the first epoch it is the user's name, in a later one the name with '#' and the epoch. No inventory holds a '#', so
// that the two cannot be mistaken. Kubernetes cannot revoke a certificate; with the next epoch its name gets nothing any more.
func Username(user string, epoch int64) string {
	if epoch <= FirstEpoch {
		return user
	}
	return user + "#" + strconv.FormatInt(epoch, 10)
}

// Person is the inverse of Username. A text that Username never returns is a name of the first epoch.
func Person(username string) (user string, epoch int64) {
	name, number, later := strings.Cut(username, "#")
	if !later {
		return username, FirstEpoch // without an error to make, of which a plan for thousands would make millions
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= FirstEpoch || Username(name, n) != username {
		return username, FirstEpoch
	}
	return name, n
}

// Person is the user whom a subject serves, in any epoch, as the API server's authorizer sees it. It is "" for a subject that is no
// User.
func (s Subject) Person() string {
	if Authorized(s) != UserSubject(s.Name) {
		return ""
	}
	user, _ := Person(s.Name)
	return user
}

// TooLong reports whether a username does not fit into a certificate.
func TooLong(username string) bool { return len(username) > maxUsername }
