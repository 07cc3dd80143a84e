// Package reviewpage writes an access review as one HTML file and as a table.
//
// HTML and CSV are made only of the fields of a review.Review. The page needs no network: its style and its
// script are in it, and its policy lets a browser load nothing. Every name is data, in HTML and in CSV, wherever it comes from.
package reviewpage
