package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// marker begins the comment of a plan.
func (f *fixture) marker() string { return "<!-- certsync plan: " + f.owner + " -->" }

// forge stands for GitHub or GitLab beside its runners: it has releases to download, signs JWTs, which the real Vault
// checks by discovery, and keeps the comments of pull request 7.
type forge struct {
	*fixture
	*httptest.Server
	ca           string // path of its certificate
	archive      []byte // of the release
	requestToken string // lets a job ask for its JWT, on GitHub
	token        string // lets a job use the API
	bot          string // whose token that is

	key      *ecdsa.PrivateKey
	mutex    sync.Mutex
	claims   map[string]any // of the job that runs
	issued   int            // JWTs
	comments []comment
}

type comment struct{ author, body string }

// newForge starts one. Somebody has written a comment there that begins like a plan's.
func (f *fixture) newForge(bot string) *forge {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	g := &forge{
		fixture: f, key: key, archive: f.release(), bot: bot, ca: filepath.Join(f.TempDir(), "forge.crt"),
		requestToken: f.secret("the token to ask for JWTs", rand.Text()), token: f.secret("the token for comments", rand.Text()),
		comments: []comment{{"mallory", f.marker() + "\nThis plan does nothing."}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /certsync.tar.gz", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("GET /elsewhere", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(g.archive) })
	mux.HandleFunc("GET /.well-known/openid-configuration", g.discovery)
	mux.HandleFunc("GET /keys", g.keys)
	mux.HandleFunc("GET /token", g.tokenRequest)
	mux.HandleFunc("GET /repos/acme/access/commits/main", func(w http.ResponseWriter, r *http.Request) { g.answer(w, map[string]any{"sha": f.head("main")}) })
	for _, comments := range []string{"/repos/acme/access/issues/7/comments", "/api/v4/projects/123456/merge_requests/7/notes"} {
		mux.HandleFunc("GET "+comments, g.list)
		mux.HandleFunc("POST "+comments, g.comment)
	}
	mux.HandleFunc("PATCH /repos/acme/access/issues/comments/{id}", g.comment)
	mux.HandleFunc("PUT /api/v4/projects/123456/merge_requests/7/notes/{id}", g.comment)
	g.Server = httptest.NewTLSServer(mux)
	f.Cleanup(g.Close)
	if err := os.WriteFile(g.ca, g.caPEM(), 0o600); err != nil {
		f.Fatal(err)
	}
	return g
}

func (g *forge) caPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
}

// release is an archive as `make release` makes them, but for a link in the program's place: that would be unpacked many
// times over.
func (f *fixture) release() []byte {
	f.Helper()
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	archive := tar.NewWriter(compressed)
	header := &tar.Header{Typeflag: tar.TypeSymlink, Name: "certsync", Linkname: certsync, Mode: 0o755}
	if err := archive.WriteHeader(header); err != nil {
		f.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		f.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

func (g *forge) checksum() string { return fmt.Sprintf("%x", sha256.Sum256(g.archive)) }

func (g *forge) discovery(w http.ResponseWriter, _ *http.Request) {
	g.answer(w, map[string]any{"issuer": g.URL, "jwks_uri": g.URL + "/keys"})
}

func (g *forge) keys(w http.ResponseWriter, _ *http.Request) {
	point, err := g.key.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	encode := base64.RawURLEncoding.EncodeToString
	g.answer(w, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
}

// tokenRequest is how a job of GitHub's asks for its JWT.
func (g *forge) tokenRequest(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "bearer "+g.requestToken {
		http.Error(w, "whose job is that?", http.StatusUnauthorized)
		return
	}
	g.answer(w, map[string]any{"count": 1234, "value": g.jwt(r.URL.Query().Get("audience"), nil)})
}

// jwt is one for the job that runs; other claims win.
func (g *forge) jwt(audience string, other map[string]any) string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.issued++
	claims := map[string]any{"iss": g.URL, "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	for _, some := range []map[string]any{g.claims, other} {
		for name, value := range some {
			claims[name] = value
			if value == nil {
				delete(claims, name)
			}
		}
	}
	return g.secret("a JWT", g.sign(g.key, claims))
}

// work has JWTs be for another job from now on.
func (g *forge) work(claims map[string]any) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.claims = claims
}

// list has the comments in GitLab's order of fields, and those that GitHub has beside.
func (g *forge) list(w http.ResponseWriter, r *http.Request) {
	if !g.known(r) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	type user struct {
		ID    int    `json:"id"`
		Login string `json:"login"`
	}
	type note struct {
		ID     int     `json:"id"`
		Type   *string `json:"type"`
		Body   string  `json:"body"`
		Author user    `json:"author"`
		User   user    `json:"user"`
	}
	all := []note{}
	for i, c := range g.comments {
		all = append(all, note{ID: i + 1, Body: c.body, Author: user{7, c.author}, User: user{7, c.author}})
	}
	g.answer(w, all)
}

// comment makes a comment, or replaces one of the same author's.
func (g *forge) comment(w http.ResponseWriter, r *http.Request) {
	if !g.known(r) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	made := comment{author: g.bot, body: r.FormValue("body")}
	if r.Header.Get("Content-Type") == "application/json" {
		var sent struct{ Body string }
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &sent) != nil {
			http.Error(w, "no JSON", http.StatusBadRequest)
			return
		}
		made.body = sent.Body
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if id := r.PathValue("id"); id != "" {
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > len(g.comments) || g.comments[n-1].author != g.bot {
			http.Error(w, "not yours", http.StatusForbidden)
			return
		}
		g.comments[n-1] = made
	} else {
		g.comments = append(g.comments, made)
	}
	g.answer(w, map[string]any{"body": made.body})
}

// ours are the comments that jobs made.
func (g *forge) ours() (bodies []string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, c := range g.comments {
		if c.author == g.bot {
			bodies = append(bodies, c.body)
		}
	}
	return bodies
}

func (g *forge) known(r *http.Request) bool {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "token ") == g.token || r.Header.Get("PRIVATE-TOKEN") == g.token
}

func (g *forge) answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
