package inventory

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/strict"
)

// maxFile is the most that a file which the inventory names may hold.
const maxFile = 64 << 10

// authority returns the certificates that users are to trust, from the file or the field that holds them. No message
// repeats what is in it: somebody will name the file with the key one day.
func (r *run) authority(fields map[string]strict.Value) []byte {
	file, named := fields["certificateAuthority"]
	inline, given := fields["certificateAuthorityData"]
	switch {
	case named && given:
		inline.Problem("certificateAuthority is given too: keep one of the two")
	case named:
		return r.authorityFile(file)
	case given:
		return authorityData(inline)
	}
	return nil
}

// fileName is the name of a file with PEM. instead says where the PEM itself may stand, for who has put it here.
func fileName(v strict.Value, instead string) (string, bool) {
	name, ok := v.Text()
	switch {
	case !ok:
	case name == "":
		v.Problem("is empty")
	case strings.Contains(name, "-----BEGIN"):
		v.Problem("is PEM, but must be the name of a file: put the PEM into a file%s", instead)
	default:
		return name, true
	}
	return "", false
}

func (r *run) authorityFile(v strict.Value) []byte {
	name, ok := fileName(v, ", or into certificateAuthorityData as base64")
	if !ok {
		return nil
	}
	data, fault := r.open(name)
	if fault == "" {
		data, fault = certificates(data)
	}
	if fault != "" {
		v.Problem("file %s %s", strict.Quote(name), fault)
		return nil
	}
	return data
}

func authorityData(v strict.Value) []byte {
	s, ok := v.Text()
	if !ok {
		return nil
	}
	// Of the blanks, those at which YAML folds.
	data, err := base64.StdEncoding.DecodeString(strings.NewReplacer(" ", "", "\t", "", "\n", "", "\r", "").Replace(s))
	switch {
	case strings.Contains(s, "-----BEGIN"):
		v.Problem("is PEM, but must be base64: put the PEM into a file, and name the file in certificateAuthority")
		return nil
	case err != nil:
		v.Problem("is not base64")
		return nil
	}
	data, fault := certificates(data)
	if fault != "" {
		v.Problem("%s", fault)
		return nil
	}
	return data
}

// open returns what a file in the inventory's folder holds, or why not.
func (r *run) open(name string) (data []byte, fault string) {
	return r.openUpTo(maxFile, name)
}

// openUpTo is open with another bound.
func (r *run) openUpTo(bound int, name string) (data []byte, fault string) {
	clean := path.Clean(name)
	if !fs.ValidPath(clean) {
		return nil, "is outside of the inventory's folder"
	}
	if r.files == nil {
		return nil, "cannot be read: there is no folder to read it from"
	}
	if !take(&r.left.named, 1) {
		return nil, fmt.Sprintf("is one file too many: an inventory can name %d files", maxNamed)
	}
	file, err := r.files.Open(clean)
	if err != nil {
		return nil, "cannot be read: " + files.Reason(err).Error()
	}
	defer file.Close()
	data, err = files.ReadOpened(file, clean, bound)
	switch {
	case errors.Is(err, files.ErrNotRegular), errors.Is(err, files.ErrTooLarge), errors.Is(err, files.ErrUTF16):
		return nil, "is " + files.Reason(err).Error()
	case err != nil:
		return nil, "cannot be read: " + files.Reason(err).Error()
	case !take(&r.left.bytes, len(data)):
		return nil, "is too large: the files that an inventory names can hold " + files.Size(maxBytes) + " in all"
	}
	if r.opened != nil {
		r.opened[clean] = data
	}
	return data, ""
}

// certificates returns a PEM bundle in its one canonical form, or what is wrong with it. pem.Decode alone would skip
// over what stands between the blocks: a key, or half of a certificate.
func certificates(data []byte) (bundle []byte, fault string) {
	const end = "-----END CERTIFICATE-----"
	switch {
	case len(data) > maxFile:
		return nil, fmt.Sprintf("is larger than %d KiB", maxFile>>10)
	case bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return nil, "holds a private key, which does not belong in a repository: remove it, and make a new key"
	}
	for n := 1; ; n++ {
		data = bytes.TrimSpace(data)
		if len(data) == 0 && n > 1 {
			return bundle, ""
		}
		before, rest, found := bytes.Cut(data, []byte(end))
		if !found || bytes.Count(before, []byte("-----BEGIN")) != 1 || !bytes.HasPrefix(before, []byte("-----BEGIN CERTIFICATE-----")) {
			return nil, "holds something other than PEM certificates"
		}
		block, _ := pem.Decode(data[:len(before)+len(end)])
		if block == nil || len(block.Headers) > 0 {
			return nil, fmt.Sprintf("does not hold valid PEM: block %d", n)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Sprintf("does not hold valid certificates: block %d", n)
		}
		bundle = append(bundle, CertificatePEM(block.Bytes)...)
		data = rest
	}
}
