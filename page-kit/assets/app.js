// What pages do beyond htmx: they tell when the gateway or the cloud is away, go to the sign-in when the session has ended,
// and send a form once. Everything else works without scripts.
(function () {
  "use strict";
  var offline = document.getElementById("offline");
  var lost = new Set();
  function tell(who, is_lost) {
    if (is_lost) { lost.add(who); } else { lost.delete(who); }
    if (offline) { offline.hidden = lost.size === 0; }
  }
  document.body.addEventListener("htmx:sseOpen", function (event) { tell(event.target, false); });
  document.body.addEventListener("htmx:sseError", function (event) { tell(event.target, true); });
  document.body.addEventListener("htmx:sendError", function () { tell("request", true); });
  document.body.addEventListener("htmx:afterOnLoad", function () { tell("request", false); });
  document.body.addEventListener("htmx:sseClose", function (event) {
    if (event.detail && event.detail.type === "message") {
      location.assign(document.body.dataset.signIn + "?next=" + encodeURIComponent(location.pathname));
    }
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") {
      form.dataset.sent = "1";
      form.setAttribute("aria-busy", "true");
      setTimeout(function () { delete form.dataset.sent; form.removeAttribute("aria-busy"); }, 10000);
    }
  });
  // Back from the browser's memory: what was typed or sent before does not count any more.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) { location.reload(); }
  });
  var code = document.querySelector("[data-from-fragment]");
  if (code && location.hash.length > 1) {
    code.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
})();
