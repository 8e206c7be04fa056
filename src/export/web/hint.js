// A page that was opened from a folder cannot load its parts: say what to do. Not a module, so that it runs there too.
if (location.protocol === "file:") {
  const trouble = document.getElementById("trouble");
  trouble.textContent =
    "This page must come from a web server. In its folder run: python3 -m http.server 8000, and open http://localhost:8000";
  trouble.hidden = false;
  document.getElementById("loading").hidden = true;
}
