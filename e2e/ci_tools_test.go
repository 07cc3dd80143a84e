package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// standIns are what this test's executable is under other names, for machines without these programs.
var standIns = map[string]func(args []string) error{
	"vault": vaultCLI,
	"curl":  curlCLI,
	"gh":    ghCLI,

	"openssl": opensslCLI,
}

// forgeURL names the forge to gh.
const forgeURL = "TEST_FORGE_URL"

// curlCLI is as much of curl as the examples use.
func curlCLI(args []string) error {
	method, address, output, follow := http.MethodGet, "", "", false
	header, form := http.Header{}, url.Values{}
	next := func(i *int) string { *i++; return args[*i] }
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; arg {
		case "-fsS":
		case "-fsSL":
			follow = true
		case "-o":
			output = next(&i)
		case "-X":
			method = next(&i)
		case "-H":
			if from := next(&i); from != "@-" {
				return fmt.Errorf("-H %s", from)
			}
			text, err := io.ReadAll(os.Stdin)
			if err != nil {
				return err
			}
			name, value, _ := strings.Cut(strings.TrimSpace(string(text)), ": ")
			header.Set(name, value)
		case "--data-urlencode":
			name, file, _ := strings.Cut(next(&i), "@")
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			form.Set(name, string(text))
			if method == http.MethodGet {
				method = http.MethodPost
			}
			header.Set("Content-Type", "application/x-www-form-urlencoded")
		default:
			if strings.HasPrefix(arg, "-") || address != "" {
				return fmt.Errorf("the stand-in for curl does not know %q", arg)
			}
			address = arg
		}
	}
	answer, err := send(method, address, header, strings.NewReader(form.Encode()), follow)
	if err != nil {
		return fmt.Errorf("curl: (22) %w", err)
	}
	if output != "" {
		return os.WriteFile(output, answer, 0o666)
	}
	_, err = os.Stdout.Write(answer)
	return err
}

// commentsOf is a program for jq: the numbers of somebody's comments that begin with $MARKER.
var commentsOf = regexp.MustCompile(`^\.\[\] \| select\(\.user\.login == "([^"]+)"\) \| select\(\.body \| startswith\(env\.MARKER\)\) \| \.id$`)

// ghCLI is as much of GitHub's as the examples use.
func ghCLI(args []string) error {
	if len(args) == 0 || args[0] != "api" {
		return errors.New("the stand-in for gh knows only gh api")
	}
	method, path, program, silent := http.MethodGet, "", "", false
	fields := map[string]string{}
	args = args[1:]
	next := func(i *int) string { *i++; return args[*i] }
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; arg {
		case "--paginate":
		case "--silent":
			silent = true
		case "--method":
			method = next(&i)
		case "--jq":
			program = strings.Join(strings.Fields(next(&i)), " ")
		case "-F":
			name, file, _ := strings.Cut(next(&i), "=@")
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			fields[name] = string(text)
			if method == http.MethodGet {
				method = http.MethodPost
			}
		default:
			if strings.HasPrefix(arg, "-") || path != "" {
				return fmt.Errorf("the stand-in for gh does not know %q", arg)
			}
			path = arg
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	header := http.Header{"Authorization": {"token " + os.Getenv("GH_TOKEN")}, "Content-Type": {"application/json"}}
	answer, err := send(method, os.Getenv(forgeURL)+"/"+path, header, bytes.NewReader(body), true)
	if err != nil || silent {
		return err
	}
	return choose(program, answer)
}

// choose prints what gh's --jq would.
func choose(program string, answer []byte) error {
	if program == ".sha" {
		var commit struct{ SHA string }
		err := json.Unmarshal(answer, &commit)
		fmt.Println(commit.SHA)
		return err
	}
	of := commentsOf.FindStringSubmatch(program)
	if of == nil {
		return fmt.Errorf("the stand-in for gh does not know the program %q", program)
	}
	var comments []struct {
		ID   int
		Body string
		User struct{ Login string }
	}
	err := json.Unmarshal(answer, &comments)
	for _, c := range comments {
		if c.User.Login == of[1] && strings.HasPrefix(c.Body, os.Getenv("MARKER")) {
			fmt.Println(c.ID)
		}
	}
	return err
}

// send trusts whom CURL_CA_BUNDLE names.
func send(method, address string, header http.Header, body io.Reader, follow bool) ([]byte, error) {
	request, err := http.NewRequest(method, address, body)
	if err != nil {
		return nil, err
	}
	request.Header = header
	ca, err := os.ReadFile(os.Getenv("CURL_CA_BUNDLE"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := http.Client{Timeout: commandTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if !follow {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("the requested URL returned error: %d", response.StatusCode)
	}
	return answer, err
}
