package reconcile_test

import (
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestSerialKeepsZeros: a serial number is written as OpenSSL and a CA's log write it, so that a search finds it.
func TestSerialKeepsZeros(t *testing.T) {
	for serial, want := range map[int64]string{0xa01: "0a01", 0x1: "01", 0xa0: "a0", 0x7f000000: "7f000000"} {
		var e reconcile.CertificateEntry
		if e.Describe(&x509.Certificate{SerialNumber: big.NewInt(serial)}); e.Serial != want {
			t.Errorf("%q, want %q", e.Serial, want)
		}
	}
}
