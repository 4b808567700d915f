"use strict";

const settings = document.documentElement.dataset;
const POLL_MILLISECONDS = 2000;

/* The stream: hls.js where the set-up installed it, else what the browser itself can play. */

function startPlayer() {
  const video = document.getElementById("player");
  const state = document.getElementById("player-state");
  const address = `${settings.restreamer}/playlist/${encodeURIComponent(settings.channel)}.m3u8`;
  const say = (text) => { state.textContent = text; };
  video.addEventListener("playing", () => say("Playing live."));
  video.addEventListener("waiting", () => say("Waiting for the stream…"));
  if (window.Hls && Hls.isSupported()) {
    const hls = new Hls();
    hls.on(Hls.Events.ERROR, (name, error) => {
      if (!error.fatal) { return; }
      say(`The stream can't be played right now (${error.details}); trying again.`);
      hls.destroy();
      setTimeout(startPlayer, POLL_MILLISECONDS);
    });
    hls.loadSource(address);
    hls.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = address;
  } else {
    say("This browser plays no HLS by itself. Install npm, run `make setup` and reload.");
    return;
  }
  video.play().catch(() => say("Press play to watch."));
}

/* The events, asked for again and again; the server answers 304 when nothing has changed. */

function element(name, text, className) {
  const made = document.createElement(name);
  if (text) { made.textContent = text; }
  if (className) { made.className = className; }
  return made;
}

function momentCell(event) {
  const cell = element("td", event.video_title || event.description || event.id);
  if (event.event_start) { cell.append(element("small", `${event.event_start.slice(0, 19)} UTC`)); }
  return cell;
}

function stateCell(event) {
  const cell = element("td");
  cell.append(element("span", event.state, `state state-${event.state}`));
  if (event.state === "CLAIMED" && event.frames_total > 0) {
    const bar = element("progress");
    bar.max = event.frames_total;
    bar.value = event.frames_done;
    cell.append(bar, element("small", `${event.frames_done} of ${event.frames_total} frames`));
  }
  if (event.error) { cell.append(element("small", event.error, "error")); }
  return cell;
}

function videoCell(event) {
  const cell = element("td");
  const link = event.video_link || "";
  if (/^https?:/.test(link)) {
    const anchor = element("a", "watch");
    anchor.href = link;
    cell.append(anchor);
  } else {
    cell.textContent = link;
  }
  return cell;
}

function showEvents(events) {
  const rows = events.map((event) => {
    const row = element("tr");
    row.append(momentCell(event), stateCell(event), videoCell(event));
    return row;
  });
  const body = document.getElementById("events");
  body.replaceChildren(...rows);
  body.closest("table").hidden = events.length === 0;
  document.getElementById("events-state").textContent =
    events.length ? "" : "No events yet. Create one with POST /thrimshim.";
}

async function pollEvents() {
  try {
    const answer = await fetch("/thrimshim");
    if (!answer.ok) { throw new Error(await answer.text()); }
    showEvents(await answer.json());
  } catch (error) {
    document.getElementById("events-state").textContent = `Can't load the events: ${error.message}`;
  }
  setTimeout(pollEvents, POLL_MILLISECONDS);
}

startPlayer();
pollEvents();
