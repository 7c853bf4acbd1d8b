// Mark what is wider than the page, so that site.css can say that it scrolls.
function markWide() {
  for (const box of document.querySelectorAll(".pst-scrollable-table-container, .cell_output pre")) {
    box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  }
}
addEventListener("load", markWide);
addEventListener("resize", markWide);
