package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserVariable, if it is "required", fails the tests where there is no browser. CI sets it.
const browserVariable = "CERTSYNC_CHROMIUM"

// browserTime is how long a page may take on a busy machine.
const browserTime = 5 * time.Minute

// browserPath finds Chromium, or skips the test.
func browserPath(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(browserVariable) == "required" {
		t.Fatal("there is no Chromium here (apt-get install chromium)")
	}
	t.Skip("there is no Chromium here")
	return ""
}

// pages writes the sample pages, once, and returns their folder.
var pages = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "certsync-pages")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestCompanies$", "./cmd/certsync/internal/reviewpage", "-pages", dir)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := pages(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// tab is a page in a browser, with everything that went wrong in it.
type tab struct {
	context.Context
	t     testing.TB
	mu    sync.Mutex
	wrong []string
}

// open opens the page of that many people. before is done first.
func open(t testing.TB, people int, before func(*tab)) *tab {
	t.Helper()
	browser := browserPath(t)
	dir, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(browser), chromedp.WindowSize(1300, 1000))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has no sandbox for root
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &tab{Context: ctx, t: t}
	address := "file://" + filepath.Join(dir, fmt.Sprintf("%d.html", people))
	err = chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if e.Request.URL != address {
				p.note("it asked for %s", e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			p.note("exception: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.note("console: %s", e.Type)
		case *log.EventEntryAdded:
			p.note("log: %s", e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, runtime.Enable, cdp.Empty{})
	call(p, log.Enable, cdp.Empty{})
	if before != nil {
		before(p)
	}
	p.do(chromedp.Navigate(address))
	return p
}

func (p *tab) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// call sends a command of the browser's protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p, command, params); err != nil {
		p.t.Fatal(err)
	}
}

// get returns what an action does.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	value, err := chromedp.Run(p, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// eval returns the value of an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return get(p, chromedp.Evaluate[T](expression))
}

// clean fails the test if the page asked for something, or logged something.
func (p *tab) clean() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wrong) > 0 {
		p.t.Errorf("%s", strings.Join(p.wrong, "\n"))
	}
}

// TestPage: the matrix is there, tables can be sorted, people can be found, nothing is asked for from outside, and nothing is logged.
func TestPage(t *testing.T) {
	p := open(t, 500, nil)
	if rows, columns := eval[int](p, `document.querySelectorAll(".matrix tbody tr").length`), eval[int](p, `document.querySelectorAll(".matrix thead th").length`); rows == 0 || columns != 42 {
		t.Errorf("the matrix has %d rows and %d columns", rows, columns)
	}
	if letters := eval[string](p, `[...new Set([...document.querySelectorAll(".matrix td.s")].map(c => c.textContent.trim()))].sort().join("")`); letters != "AGRW" {
		t.Errorf("the letters of the matrix are %q", letters)
	}
	first := `document.querySelector("#leavers").closest("section").querySelector("tbody tr th").textContent`
	was := eval[string](p, first)
	click := `document.querySelector("#leavers").closest("section").querySelector("thead th button").click()`
	eval[any](p, click)
	eval[any](p, click)
	if now := eval[string](p, first); now == was || !strings.HasPrefix(now, "left0009") {
		t.Errorf("sorted downwards, the first is %s and was %s", now, was)
	}
	if sorted := eval[string](p, `document.querySelector("#leavers").closest("section").querySelector("thead th").ariaSort`); sorted != "descending" {
		t.Errorf("a screen reader hears %q", sorted)
	}
	p.do(chromedp.SendKeys("#query", "person00042"))
	visible := `[...document.querySelectorAll(".person")].filter(e => !e.hidden).length`
	if n := eval[int](p, visible); n != 1 || eval[string](p, `document.querySelector("#matches").textContent`) != "1 people" {
		t.Errorf("%d people are left", n)
	}
	p.clean()
}

// TestPageWithoutScript: everything can be read, and what needs the script is not there.
func TestPageWithoutScript(t *testing.T) {
	p := open(t, 500, func(p *tab) {
		call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	})
	// The page has loaded without its script. The test itself counts with one.
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	people, filters := eval[int](p, `document.querySelectorAll(".person").length`), eval[int](p, `document.querySelectorAll("#filter:not([hidden]), th button").length`)
	if people != 510 || filters != 0 {
		t.Errorf("%d people, %d things that need the script", people, filters)
	}
	p.clean()
}

// contrast returns the lowest contrast of text and background on the page, as WCAG 2 computes it, and where it is.
const contrast = `(() => {
  const rgb = (c) => c.match(/[\d.]+/g).map(Number);
  const luminance = (c) => { const [r, g, b] = rgb(c).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const background = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } return "rgb(255, 255, 255)"; };
  let worst = [99, ""];
  for (const e of [...document.querySelectorAll("body *")].slice(0, 6000)) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.closest("script, style, .skip, [hidden]")) continue;
    const a = luminance(getComputedStyle(e).color), b = luminance(background(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 30)];
  }
  return worst;
})()`

// TestPageForEverybody: light and dark have enough contrast, every table tells its headers, the keyboard reaches the content, and on A4
// nothing is cut off. With CERTSYNC_SCREENSHOTS=FOLDER it leaves pictures to look at.
func TestPageForEverybody(t *testing.T) {
	p := open(t, 500, nil)
	for _, scheme := range []string{"light", "dark"} {
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		if worst := eval[[]any](p, contrast); worst[0].(float64) < 4.5 {
			t.Errorf("%s: contrast %v", scheme, worst)
		}
		p.picture(scheme)
	}
	if n := eval[int](p, `[...document.querySelectorAll("thead th")].filter(h => h.scope !== "col").length + [...document.querySelectorAll("tbody th")].filter(h => h.scope !== "row").length`); n > 0 {
		t.Errorf("%d headers have no scope", n)
	}
	if n := eval[int](p, `[...document.querySelectorAll("input")].filter(i => !i.labels.length).length`); n > 0 {
		t.Errorf("%d inputs have no label", n)
	}
	p.do(chromedp.KeyEvent("\t"))
	if at := eval[string](p, `document.activeElement.getAttribute("href")`); at != "#main" {
		t.Errorf("the first thing that the keyboard reaches is %q", at)
	}
	// 794 pixels are 210 mm; the margins take 14 mm on either side.
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 794 - 106, Height: 1123, DeviceScaleFactor: 1})
	if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > 794-106 {
		t.Errorf("on A4 the page is %d pixels wide", wide)
	}
	p.picture("print")
	if pdf := get(p, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize())); len(pdf) < 10000 {
		t.Errorf("printed, the page has %d bytes", len(pdf))
	}
	p.clean()
}

// picture writes pictures of the page's sections, if somebody wants them.
func (p *tab) picture(name string) {
	dir := os.Getenv("CERTSYNC_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, section := range []string{"powerful", "unused", "changes", "matrix", "timeline", "population", "others", "roles", "signoff"} {
		p.write(filepath.Join(dir, name+"-"+section+".png"), fmt.Sprintf(`section[aria-labelledby=%q]`, section))
	}
	p.write(filepath.Join(dir, name+"-person.png"), "#p4")
}

func (p *tab) write(path, selector string) {
	p.t.Helper()
	if err := os.WriteFile(path, get(p, chromedp.Screenshot(selector)), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// BenchmarkLoad opens the page of 5,000 people, and of 500 as a yardstick: until the browser has loaded it and can react.
func BenchmarkLoad(b *testing.B) {
	for _, people := range []int{500, 5000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			var all []time.Duration
			for b.Loop() {
				p := open(b, people, nil)
				all = append(all, time.Duration(eval[float64](p, `performance.getEntriesByType("navigation")[0].loadEventEnd`)*float64(time.Millisecond)))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Milliseconds()), "ms/load")
		})
	}
}
