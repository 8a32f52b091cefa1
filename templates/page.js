(()=>{let d=document,q=(s,r=d)=>r.querySelector(s),f="a,summary,input,button",tag;
setInterval(async()=>{if(d.hidden)return;try{
let r=await fetch(location.pathname,{cache:"no-cache"}),e=r.headers.get("etag");
if(!r.ok||e&&e==tag)return;tag=e;
let n=new DOMParser().parseFromString(await r.text(),"text/html"),a=q("main"),b=q("main",n),h=q("h1",b).textContent;
for(let o of a.querySelectorAll("[open]")){let x=o.id&&n.getElementById(o.id);if(x)x.open=true}
let w=q("#only",a),v=q("#only",b);if(w&&v)v.checked=w.checked;
let k=[...a.querySelectorAll(f)].indexOf(d.activeElement),was=q("h1").textContent;
d.body.className=n.body.className+" live";a.replaceWith(d.adoptNode(b));
if(k>=0)b.querySelectorAll(f)[k]?.focus({preventScroll:true});
d.title=n.title;d.querySelectorAll("link[rel=icon]").forEach((l,i)=>l.href=n.querySelectorAll("link[rel=icon]")[i].href);
if(h!=was)q("#live").textContent=h}catch{}},6e4)})()
