"use strict";

const settings = document.documentElement.dataset;
const POLL_MILLISECONDS = 2000;

const video = document.getElementById("player");
const backToLive = document.getElementById("live");

/* The player: hls.js where the set-up installed it, else what the browser itself can play. */

const live = {
  address: `${settings.restreamer}/playlist/${encodeURIComponent(settings.channel)}.m3u8`,
  label: "Playing live.",
};
let playing = live;
let hls = null;

function say(text) {
  document.getElementById("player-state").textContent = text;
}

function play(source) {
  playing = source;
  backToLive.hidden = source === live;
  if (window.Hls && Hls.isSupported()) {
    playWithHls(source);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = source.address;
  } else {
    say("This browser plays no HLS by itself. Install npm, run `make setup` and reload.");
    return;
  }
  video.play().catch((error) => {
    if (error.name === "NotAllowedError") { say("Press play to watch."); }
  });
}

function playWithHls(source) {
  if (hls) { hls.destroy(); }
  const mine = hls = new Hls();
  mine.on(Hls.Events.ERROR, (name, error) => {
    if (!error.fatal || hls !== mine) { return; }
    say(`The stream can't be played right now (${error.details}); trying again.`);
    setTimeout(() => { if (hls === mine) { play(source); } }, POLL_MILLISECONDS);
  });
  mine.loadSource(source.address);
  mine.attachMedia(video);
}

video.addEventListener("playing", () => say(playing.label));
video.addEventListener("waiting", () => say("Waiting for the stream…"));
backToLive.addEventListener("click", () => play(live));

/* The events. */

function element(name, text, className) {
  const made = document.createElement(name);
  if (text) { made.textContent = text; }
  if (className) { made.className = className; }
  return made;
}

function titleOf(event) {
  return event.video_title || event.description || event.id;
}

function clock(time) {
  return time.slice(11, 19);
}

function when(event) {
  const [start, end] = event.video_ranges?.[0] ?? [event.event_start, event.event_end];
  if (!start) { return ""; }
  return `${start.slice(0, 10)}, ${clock(start)}${end ? ` to ${clock(end)}` : ""} UTC`;
}

function heading(event) {
  const made = element("h3");
  made.append(
    element("span", titleOf(event)),
    element("span", event.state, `state state-${event.state}`),
  );
  return made;
}

function progress(event) {
  const bar = element("progress");
  bar.max = event.frames_total;
  bar.value = event.frames_done;
  return [bar, element("p", `${event.frames_done} of ${event.frames_total} frames`)];
}

function rangeButton(event, [start, end], label) {
  const channel = encodeURIComponent(event.video_channel || settings.channel);
  const quality = encodeURIComponent(event.video_quality || "source");
  const query = new URLSearchParams({ start, end });
  const address = `${settings.restreamer}/playlist/${channel}/${quality}.m3u8?${query}`;
  const made = element("button", label);
  made.type = "button";
  made.addEventListener("click", () => play({ address, label: `Playing ${titleOf(event)}.` }));
  return made;
}

function actions(event) {
  const made = element("div", "", "actions");
  const ranges = event.video_ranges ?? [];
  ranges.forEach((range, index) => {
    const label = ranges.length > 1 ? `Play range ${index + 1}` : "Play the moment";
    made.append(rangeButton(event, range, label));
  });
  if (/^https?:/.test(event.video_link || "")) {
    const link = element("a", "Watch the video");
    link.href = event.video_link;
    made.append(link);
  }
  return made;
}

/* A page can't link to a file of the machine, so its path is shown. */
function filePath(event) {
  return decodeURIComponent(event.video_link.slice("file://".length));
}

function card(event) {
  const made = element("li");
  made.append(heading(event));
  if (when(event)) { made.append(element("p", when(event))); }
  if (event.state === "CLAIMED" && event.frames_total > 0) { made.append(...progress(event)); }
  if (event.error) { made.append(element("p", event.error, "error")); }
  if (event.video_link?.startsWith("file://")) { made.append(element("p", filePath(event))); }
  made.append(actions(event));
  return made;
}

function showEvents(events) {
  document.getElementById("events").replaceChildren(...events.map(card));
  document.getElementById("events-state").textContent =
    events.length ? "" : "No events yet. Create one with POST /thrimshim.";
}

/* Asked for again and again; the server answers 304 when nothing has changed, and then the page
   stays as it is too: a button that has the focus keeps it. */

let shown = "";

async function pollEvents() {
  try {
    const answer = await fetch("/thrimshim");
    const text = await answer.text();
    if (!answer.ok) { throw new Error(text); }
    if (text !== shown) { showEvents(JSON.parse(text)); }
    shown = text;
  } catch (error) {
    shown = "";
    document.getElementById("events-state").textContent = `Can't load the events: ${error.message}`;
  }
  setTimeout(pollEvents, POLL_MILLISECONDS);
}

play(live);
pollEvents();
