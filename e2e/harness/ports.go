package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// errPortTaken marks a failure that other ports may cure.
var errPortTaken = errors.New("a port is taken")

// ports holds addresses of the form 127.0.0.1:port.
type ports struct {
	etcd, apiServer, vault string
}

// freePorts finds ports that nothing listens on. They lie below those that Linux and macOS give to
// outgoing connections: one of these on the port of a stopped server would keep it from starting again.
func freePorts() (ports, error) {
	const low, high, count = 20000, 32000, 3
	var found []string
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", low+rand.IntN(high-low))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		// Held until all are found, so that they differ.
		defer listener.Close()
		if found = append(found, address); len(found) == count {
			return ports{etcd: found[0], apiServer: found[1], vault: found[2]}, nil
		}
	}
	return ports{}, fmt.Errorf("finding %d free ports between %d and %d: found %d", count, low, high, len(found))
}
