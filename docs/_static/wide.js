// Mark what is wider than the page, so that site.css can say that it scrolls, and figures that are shown much smaller.
function markWide() {
  for (const box of document.querySelectorAll(".pst-scrollable-table-container, .cell_output pre")) {
    box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  }
  for (const figure of document.querySelectorAll(".image-reference > img[width]")) {
    figure.parentElement.classList.toggle("shrunk", figure.clientWidth < 0.8 * figure.getAttribute("width"));
  }
}
addEventListener("load", markWide);
addEventListener("resize", markWide);
