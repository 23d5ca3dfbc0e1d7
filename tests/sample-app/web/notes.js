const element = (id) => document.getElementById(id);

// Everything that came from the API is put into the page as text, never as markup.
function row(note) {
  const time = document.createElement("time");
  time.dateTime = note.created;
  time.textContent = new Date(note.created).toLocaleString();
  const item = document.createElement("li");
  item.dataset.testid = "note";
  item.append(note.text, time);
  return item;
}

async function request(path, options) {
  const response = await fetch(`/api/${path}`, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(body.problem ?? `The server answers ${response.status}; try again in a moment.`);
  }
  return body;
}

async function showGreeting() {
  const { greeting, version } = await request("version");
  element("greeting").textContent = greeting;
  element("version").textContent = version;
}

async function showNotes() {
  const notes = await request("notes");
  element("notes").replaceChildren(...notes.map(row));
  element("empty").hidden = notes.length > 0;
}

async function keep(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.disabled = true;
  await reporting(async () => {
    await request("notes", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: form.elements.text.value }),
    });
    form.reset();
    await showNotes();
  });
  button.disabled = false;
  form.elements.text.focus();
}

// reporting runs the work and shows on the page what went wrong with it.
async function reporting(work) {
  const problem = element("problem");
  try {
    await work();
    problem.hidden = true;
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

element("form").addEventListener("submit", keep);
reporting(() => Promise.all([showGreeting(), showNotes()]));
